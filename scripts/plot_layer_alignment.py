"""Layer by layer alignment of chosen pairs of models."""

import pandas as pd

from prh.alignment.best import named
from prh.figures.pairs import layer_alignment
from prh.figures.style import save
from prh.job import job
from prh.tables import SCORES, read_parts

with job(snakemake) as out:
    params = snakemake.params
    table = named(read_parts(snakemake.input.tiles, SCORES), params.dataset)
    table = table[table.name == params.metric].drop(columns=["name", "n"])
    parts = [table[(table.model_x == x) & (table.model_y == y)] for x, y in params.pairs]
    table = pd.concat(parts, ignore_index=True)
    save(layer_alignment(table, params.pairs, params.models, params.caption, params.metric), table, out)
