"""Correlation over language models between 1 - bits-per-byte and alignment, per vision model."""

import pandas as pd

from prh.job import job
from prh.statistics import FEWEST, correlate
from prh.tables import CORRELATION, read_table, write_table

with job(snakemake) as out:
    params = snakemake.params
    alignment, performance = read_table(snakemake.input.alignment), read_table(snakemake.input.performance)
    across = alignment[(alignment.modality_x == "language") & (alignment.modality_y == "vision")]
    joined = across.merge(performance, left_on="model_x", right_on="model")
    rows = []
    groups = joined.groupby(["dataset", "metric", "k", "model_y"], sort=False, dropna=False)
    for (dataset, metric, k, vision), group in groups:
        for method in ("pearson", "spearman"):
            found = correlate(
                1 - group.bits_per_byte, group.score, method, params.resamples, params.confidence, params.seed
            )
            note = f"{found.n} language models: too few" if found.n < FEWEST else ""
            rows.append(
                (dataset, metric, k, vision, method, found.n, found.value, found.ci_low, found.ci_high, note)
            )
    write_table(pd.DataFrame(rows, columns=list(CORRELATION)), out.table)
