"""Make one data set of image-caption pairs."""

from types import SimpleNamespace

from prh.datasets import make_from_folder, make_openmoji
from prh.job import job

with job(snakemake) as out:
    row, seed = SimpleNamespace(**snakemake.params.row), snakemake.params.seed
    if row.source == "openmoji":
        drawings, names = snakemake.input.packages
        make_openmoji(drawings, names, row.size, row.image_size, seed, out.dataset, row.licence)
    else:
        make_from_folder(row.path, row.size, seed, out.dataset, row.licence)
