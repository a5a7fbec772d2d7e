"""Every published number that this run gives as well, beside this run's, with the difference."""

from prh.alignment.best import across
from prh.figures.comparison import compare
from prh.figures.published import reproduced_vs_published
from prh.figures.style import save
from prh.job import job
from prh.performance.published import read_numbers
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    published = read_numbers(snakemake.input.published[0])
    alignment = across(read_table(snakemake.input.alignment), params.dataset)
    performance, downstream = (read_table(snakemake.input[name]) for name in ("performance", "downstream"))
    table = compare(published, alignment, performance, downstream, params.sets, params.concatenate)
    save(reproduced_vs_published(table, params.caption), table, out)
