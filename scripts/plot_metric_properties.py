"""Figure 11 of the paper: what holds of each metric."""

from prh.figures.metrics import metric_properties, properties
from prh.figures.style import save
from prh.job import job

with job(snakemake) as out:
    table = properties(snakemake.params.metrics)
    save(metric_properties(table, snakemake.params.caption), table.reset_index(), out)
