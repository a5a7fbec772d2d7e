"""Make one model ready for use without a network: out of its packages, from the hub, or by a path."""

from importlib import import_module
from types import SimpleNamespace

from prh.features.adapters import maker_of
from prh.job import job, use_threads
from prh.provenance import write_manifest
from prh.sources.outside import files_of_model, read_as_planned

with job(snakemake) as out:
    row = SimpleNamespace(**snakemake.params.row)
    use_threads(snakemake.threads)
    maker = import_module(maker_of(row))
    found = maker.make_ready(row, snakemake.input.packages, snakemake.params.seed, out.model)
    out.outside = read_as_planned(row, files_of_model)
    write_manifest(out.model, **snakemake.params.row, **found or {})
