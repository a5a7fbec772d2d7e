"""Figure 11 of the paper: what holds of each metric."""

from prh.job import job
from prh.metric_plots import metric_properties, properties
from prh.plots import save

with job(snakemake) as out:
    table = properties(snakemake.params.metrics)
    save(metric_properties(table, snakemake.params.caption), table.reset_index(), out)
