"""The best layer pair of every model pair, of all data sets, as one tidy table."""

from prh.alignment.best import alignment_table, read_best
from prh.job import job
from prh.tables import NULLS, read_parts, write_table

with job(snakemake) as out:
    given = snakemake.input
    calibrated = read_parts(given.calibrated, NULLS) if given.calibrated else None
    write_table(alignment_table(read_best(given.tiles), calibrated, snakemake.params.modality), out.table)
