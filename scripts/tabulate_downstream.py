"""Benchmark scores, bits-per-byte of the captions, and published scores of what was not measured, as one tidy table."""

import json
from pathlib import Path

from prh.job import job
from prh.published import downstream_table, read_benchmarks
from prh.tables import write_table

with job(snakemake) as out:
    given = snakemake.input
    captions = [json.loads(Path(path).read_text()) for path in given.captions]
    measured = [json.loads(Path(path).read_text()) for path in given.downstream]
    published = read_benchmarks(given.published[0]) if given.published else None
    write_table(downstream_table(captions, measured, published, snakemake.params.models), out.table)
