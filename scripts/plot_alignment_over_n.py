"""Alignment as items are added: scores, null and calibrated scores, beside published means."""

from prh.figures.comparison import numbers_over_n
from prh.figures.over_n import alignment_over_n
from prh.figures.style import save
from prh.job import job
from prh.performance.published import read_over_n
from prh.tables import read_table

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    published = read_over_n(given.published[0]) if given.published else None
    table = numbers_over_n(read_table(given.table), published)
    save(alignment_over_n(table, params.models, params.k, params.share, params.caption), table, out)
