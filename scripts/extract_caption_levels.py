"""Features of the captions of all levels under one language model, each distinct caption once."""

from pathlib import Path
from types import SimpleNamespace

from prh.features.language import features_of_captions
from prh.features.layers import check_layers, write_features
from prh.job import job, use_threads
from prh.provenance import MANIFEST, file_digest
from prh.sources.caption_levels import distinct_captions, read_levels

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    use_threads(snakemake.threads)
    machine = SimpleNamespace(device=params.device, gpus=snakemake.resources.gpu, weights=params.weights)
    captions = distinct_captions(read_levels(given.levels))
    layers, facts = features_of_captions(captions, given.model, params.settings, machine)
    check_layers(layers, params.row)
    made_from = {
        "model_sha256": file_digest(Path(given.model) / MANIFEST),
        "levels_sha256": file_digest(given.levels),
    }
    names = {"model": params.row["name"], "revision": params.row["revision"], "captions": len(captions)}
    write_features(out.features, layers, names | made_from | facts)
