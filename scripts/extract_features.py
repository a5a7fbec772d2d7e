"""Features of all pairs of a data set under one model, by its adapter."""

from importlib import import_module
from types import SimpleNamespace

from prh.features.adapters import module_of
from prh.features.layers import check_layers, describe, write_features
from prh.job import job, use_threads

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
    dataset = given.dataset or None  # of mere features there may be none
    layers, facts = adapter.features(row, given.model, dataset, params.settings, machine)
    check_layers(layers, params.row)
    if params.get("last_only"):
        layers = dict([layers.popitem()])
    write_features(out.features, layers, describe(params.row, given.model, dataset) | facts)
