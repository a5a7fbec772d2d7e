"""Make several small models ready in one job: out of their packages, drawn at random, or trained."""

from importlib import import_module
from types import SimpleNamespace

from prh.features.adapters import module_of
from prh.job import job, use_threads
from prh.provenance import write_manifest

with job(snakemake) as out:
    use_threads(snakemake.threads)
    params = snakemake.params
    for name, facts in params.rows.items():
        row, folder = SimpleNamespace(**facts), vars(out)[name]
        import_module(module_of(row)).make_ready(row, params.wheels[name], params.seed, folder)
        write_manifest(folder, **facts)
