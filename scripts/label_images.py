"""The label sets of a data set's images, for probes to learn."""

from prh.job import job
from prh.sources.labels import label_images

with job(snakemake) as out:
    labels = label_images(snakemake.input.dataset, snakemake.input.get("packages", []))
    labels.to_parquet(out.labels, index=False)
