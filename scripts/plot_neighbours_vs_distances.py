"""Do models agree on distances where they agree on neighbours? CKNNA beside mutual k-NN at equal k, with their nulls."""

from prh.alignment.best import across
from prh.figures.layers import SIDES, neighbours_vs_distances
from prh.figures.style import save
from prh.job import job
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    table = across(read_table(snakemake.input.alignment), params.dataset)
    table = table[table.metric.isin(list(SIDES)) & (table.k == params.k)].drop(columns="name")
    save(neighbours_vs_distances(table, params.models, params.caption, params.k), table, out)
