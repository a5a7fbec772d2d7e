"""Means over 170 pairs of models by metric and k, with chance and calibrated, from numbers that others published."""

from prh.figures.comparison import means
from prh.figures.published import published_by_metric
from prh.figures.style import save
from prh.job import job
from prh.performance.published import read_numbers

with job(snakemake) as out:
    table = means(read_numbers(snakemake.input.reference))
    save(published_by_metric(table, snakemake.params.caption), table, out)
