"""Candidates for the nearest neighbours of items of many, in every layer of one model; one layer is read at a time."""

from prh.alignment.large import StoredLayers, candidates, prepared, write_candidates
from prh.errors import about
from prh.job import job, progress, use_threads

with job(snakemake) as out:
    params = snakemake.params
    use_threads(snakemake.threads)
    with about(snakemake.input.features):
        layers = StoredLayers(snakemake.input.features)
        made = prepared(layers, params.clamp, params.concatenate, params.device)
        names = layers.names + ["all layers"] * bool(params.concatenate)
        found = [
            candidates(layer, params.part, params.size, params.k_max)
            for layer in progress(made, "neighbours", unit="layer", total=len(names))
        ]
    metadata = {"model": layers.metadata["model"], "layers": ",".join(names), "n": layers.n}
    write_candidates(out.candidates, found, metadata | {"part": params.part, "size": params.size})
