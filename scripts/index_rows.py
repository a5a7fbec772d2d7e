"""The nearest neighbours of some items of many, in every layer of one model; one layer is read at a time."""

import torch

from prh.alignment.large import StoredLayers, neighbors_of_rows, prepared, write_rows
from prh.errors import about
from prh.job import job, progress, use_threads

with job(snakemake) as out:
    params = snakemake.params
    use_threads(snakemake.threads)
    first, last = params.span
    with about(snakemake.input.features):
        layers = StoredLayers(snakemake.input.features)
        made = prepared(layers, params.clamp, params.concatenate, params.device)
        names = layers.names + ["all layers"] * bool(params.concatenate)
        last = min(last, layers.n)
        found = [
            neighbors_of_rows(layer, first, last, params.k_max)
            for layer in progress(made, "neighbours", unit="layer", total=len(names))
        ]
    metadata = {"model": layers.metadata["model"], "layers": ",".join(names), "first": first, "n": layers.n}
    write_rows(out.rows, torch.stack(found), metadata)
