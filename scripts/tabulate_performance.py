"""The scores of all language models as one tidy table."""

import json
from pathlib import Path

import pandas as pd

from prh.job import job
from prh.tables import PERFORMANCE, write_table

with job(snakemake) as out:
    scores = [json.loads(Path(path).read_text()) for path in snakemake.input.scores]
    write_table(pd.DataFrame(scores, columns=list(PERFORMANCE)), out.table)
