"""Benchmark scores, bits-per-byte of the captions, and published scores of what was not measured, as one tidy table."""

from prh.job import job
from prh.performance.downstream import OF_A_MODEL, downstream_table
from prh.performance.published import read_benchmarks
from prh.provenance import read_json
from prh.tables import write_table

with job(snakemake) as out:
    given = snakemake.input
    captions = [read_json(path, OF_A_MODEL) for path in given.captions]
    measured = [read_json(path, ["model", "scores"]) for path in given.downstream]
    published = read_benchmarks(given.published[0]) if given.published else None
    write_table(downstream_table(captions, measured, published, snakemake.params.models), out.table)
