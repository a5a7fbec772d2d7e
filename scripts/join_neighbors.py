"""The neighbour table of one model, of the parts that hold some items' neighbours each."""

from prh.alignment.large import join_rows
from prh.alignment.neighbors import write_index
from prh.job import job

with job(snakemake) as out:
    write_index(out.neighbors, *join_rows(snakemake.input.rows))
