"""Figures 3 and 4 of the paper with one vision model, from numbers that others published."""

from prh.figures.comparison import claim
from prh.figures.published import published_alignment
from prh.figures.style import save
from prh.job import job
from prh.performance.published import read_benchmarks, read_numbers

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    numbers, benchmarks = read_numbers(given.reference), read_benchmarks(given.benchmarks)
    table = claim(numbers, benchmarks, params.resamples, params.confidence, params.seed)
    save(published_alignment(table, params.caption), table, out)
