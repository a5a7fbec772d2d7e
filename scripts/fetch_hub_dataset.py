"""Download one data set of image-caption pairs from the hub, or from its mirror."""

from prh.datasets import make_from_parquet
from prh.hub import fetch_or_mirror
from prh.job import job

with job(snakemake) as out:
    row = snakemake.params.row
    snapshot = fetch_or_mirror(
        row["repo"],
        row["revision"],
        row["mirror"],
        kind="dataset",
        what=f"data set table, row `{row['name']}`",
    )
    facts = {"repo": snapshot.repo, "commit": snapshot.commit, "checksums_verified": snapshot.verified}
    files = sorted(snapshot.folder.rglob("*.parquet"))
    make_from_parquet(files, row["caption_index"] or 0, row["size"], out.dataset, row["licence"], **facts)
