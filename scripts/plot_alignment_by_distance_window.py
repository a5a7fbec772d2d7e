"""At which distances chosen pairs of models agree: geo-topological RSA over windows."""

from prh.figures.layers import distance_windows
from prh.figures.style import save
from prh.job import job
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    table = read_table(snakemake.input.windows)
    table = table[table.dataset == params.dataset]
    save(distance_windows(table, params.models, params.caption), table, out)
