"""Under which licence all stands that a run took from outside, as a table."""

import pandas as pd

from prh.job import job
from prh.tables import LICENCES, write_table

with job(snakemake) as out:
    write_table(pd.DataFrame(snakemake.params.licences, columns=LICENCES), out.table)
