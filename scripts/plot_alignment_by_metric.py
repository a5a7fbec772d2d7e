"""Figures 13 and 14 of the paper: alignment over performance by every metric."""

from prh.alignment.best import across
from prh.figures.metrics import alignment_by_metric
from prh.figures.style import save
from prh.job import job
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    table = across(
        read_table(snakemake.input.alignment), params.dataset, read_table(snakemake.input.performance)
    )
    first = table.groupby("metric", sort=False).name.transform("first")  # of several k's, the config's first
    table = table[table.name == first]
    figure = alignment_by_metric(table, params.models, params.caption, params.performance_label)
    save(
        figure,
        table[["dataset", "metric", "k", "model_x", "model_y", "bits_per_byte", "score", "null_mean"]],
        out,
    )
