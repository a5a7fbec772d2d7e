"""Layer by layer alignment of chosen pairs of models."""

import pandas as pd

from prh.job import job
from prh.plots import layer_alignment, save

with job(snakemake) as out:
    params = snakemake.params
    table = pd.concat([pd.read_parquet(path) for path in snakemake.input.tiles], ignore_index=True)
    table = table[(table.metric == params.metric) & (table.k == params.k)]
    pairs = [tuple(pair) for pair in params.pairs]
    table = pd.concat(
        [table[(table.model_x == x) & (table.model_y == y)] for x, y in pairs], ignore_index=True
    )
    figure = layer_alignment(table, pairs, params.models, params.caption, f"{params.metric}, k = {params.k}")
    save(figure, table, out)
