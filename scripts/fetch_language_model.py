"""Make one language model ready for use without a network."""

from types import SimpleNamespace

from prh.job import job, use_threads
from prh.language import make_ready
from prh.provenance import write_manifest

with job(snakemake) as out:
    row = SimpleNamespace(**snakemake.params.row)
    use_threads(snakemake.threads)
    make_ready(row, snakemake.input.packages, snakemake.params.seed, out.model)
    write_manifest(out.model, **snakemake.params.row)
