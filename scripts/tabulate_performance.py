"""The scores of all language models as one tidy table; published ones of models that were not run, marked as such."""

from prh.job import job
from prh.performance.performance import MEASURED, performance_table
from prh.performance.published import read_numbers
from prh.provenance import read_json
from prh.tables import write_table

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    scores = [read_json(path, MEASURED) for path in given.scores]
    published = read_numbers(given.published[0]) if given.get("published") else None
    write_table(performance_table(scores, published, params.get("unscored", [])), out.table)
