"""What the layers of the models are like: cone, effective dimension, share of values clamped."""

from prh.figures.layers import layers_described
from prh.figures.style import save
from prh.job import job
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    table = read_table(snakemake.input.layers)
    table = table[table.dataset == params.dataset]
    save(layers_described(table, params.models, params.caption), table, out)
