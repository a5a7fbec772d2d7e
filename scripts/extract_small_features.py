"""Features of several small models in one job; an image is decoded once for all of them."""

from importlib import import_module
from types import SimpleNamespace

from prh.features.adapters import module_of
from prh.features.images import decoded_once
from prh.features.layers import check_layers, describe, write_features
from prh.job import job, use_threads

with job(snakemake) as out:
    params, dataset = snakemake.params, snakemake.input.dataset
    use_threads(snakemake.threads)
    machine = SimpleNamespace(device=params.device, threads=snakemake.threads, gpus=0, weights={})
    with decoded_once():
        for name, facts in params.rows.items():
            row, folder = SimpleNamespace(**facts), snakemake.input[name]
            adapter = import_module(module_of(row))
            layers, more = adapter.features(row, folder, dataset, params.settings, machine)
            check_layers(layers, facts)
            more = describe(facts, folder, dataset) | more
            write_features(vars(out)[name], layers, more, params.get("store", "float32"))
