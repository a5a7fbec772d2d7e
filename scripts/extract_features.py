"""Features of the pairs of a data set, or of a shard of them, under one model, by its adapter."""

from contextlib import nullcontext
from importlib import import_module
from types import SimpleNamespace

from prh.errors import about
from prh.features.adapters import module_of
from prh.features.layers import check_layers, describe, write_features
from prh.job import job, use_threads
from prh.provenance import part_digest
from prh.sources.datasets import Part, read_captions

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    row = SimpleNamespace(**params.row)
    use_threads(snakemake.threads)
    machine = SimpleNamespace(
        device=params.device,
        threads=snakemake.threads,
        gpus=snakemake.resources.gpu,
        weights=params.weights,
    )
    adapter = import_module(module_of(row))
    part = params.get("part")
    folder = given.dataset or None  # of mere features there may be none
    dataset = Part(folder, *part) if part else folder
    if part:
        names = ["captions.parquet", *read_captions(dataset).image]
        out.known[folder] = part_digest(folder, names)
    with about(f"counted from item {part[0]}") if part else nullcontext():
        layers, facts = adapter.features(row, given.model, dataset, params.settings, machine)
        check_layers(layers, params.row)
        if params.get("last_only"):
            layers = dict([layers.popitem()])
        facts = describe(params.row, given.model, folder, part and part[0]) | facts
        write_features(out.features, layers, facts, params.get("store", "float32"))
