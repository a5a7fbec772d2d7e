"""A map of the panel's models, on which those that agree lie near each other."""

from prh.job import job
from prh.performance.maps import map_of
from prh.tables import read_table, write_table

with job(snakemake) as out:
    params = snakemake.params
    pairs, competence = read_table(snakemake.input.pairs), read_table(snakemake.input.competence)
    write_table(
        map_of(pairs, competence.model.tolist(), params.how, params.confidence, params.seed), out.places
    )
