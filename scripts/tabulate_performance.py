"""The scores of all language models as one tidy table."""

import pandas as pd

from prh.job import job
from prh.provenance import read_json
from prh.tables import PERFORMANCE, write_table

with job(snakemake) as out:
    scores = [read_json(path, PERFORMANCE) for path in snakemake.input.scores]
    write_table(pd.DataFrame(scores, columns=list(PERFORMANCE)), out.table)
