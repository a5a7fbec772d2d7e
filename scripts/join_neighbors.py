"""The neighbour table of one model, of the candidates that the jobs of its parts have found."""

from prh.alignment.large import join_candidates
from prh.alignment.neighbors import write_index
from prh.job import job

with job(snakemake) as out:
    write_index(out.neighbors, *join_candidates(snakemake.input.candidates))
