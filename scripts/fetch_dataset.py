"""Make one data set of image-caption pairs, by its source."""

from importlib import import_module
from types import SimpleNamespace

from prh.job import job
from prh.sources.outside import files_of_dataset, read_as_planned
from prh.sources.registry import source_of_dataset

with job(snakemake) as out:
    row = SimpleNamespace(**snakemake.params.row)
    source = import_module(source_of_dataset(row))
    source.make(row, snakemake.input.packages, snakemake.params.seed, out.dataset)
    out.outside = read_as_planned(row, files_of_dataset)
