"""How far apart the two towers of one space lie, and what that does."""

from prh.figures.gap import modality_gap
from prh.figures.style import save
from prh.job import job
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    table = read_table(snakemake.input.gap)
    save(modality_gap(table, params.models, params.caption), table, out)
