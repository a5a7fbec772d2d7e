"""The shards of a model's features in one file."""

from prh.features.shards import merge
from prh.job import job

with job(snakemake) as out:
    merge(snakemake.input.shards, out.features)
