"""Download one pinned wheel from the package index."""

from prh.job import job
from prh.sources.wheels import fetch_wheel

with job(snakemake) as out:
    row = snakemake.params.package
    fetch_wheel(row["package"], row["version"], row["sha256"], out.wheel)
