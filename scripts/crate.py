"""Write the crate of a run: the rule `crate`. How others start from it: `scripts/share.py`."""

from pathlib import Path

from prh.audit.crate import export
from prh.job import job

with job(snakemake) as out:
    params = snakemake.params
    export(Path(), Path(__file__).parents[1], params.config, out.crate, params.title, params.large)
