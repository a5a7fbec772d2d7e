"""Correlation over language models between 1 - bits-per-byte and alignment, per vision model."""

import pandas as pd

from prh.alignment.best import across
from prh.job import job
from prh.performance.correlation import correlate
from prh.tables import CORRELATION, FEWEST, read_table, write_table

with job(snakemake) as out:
    params = snakemake.params
    alignment, performance = read_table(snakemake.input.alignment), read_table(snakemake.input.performance)
    published = performance.source.astype(str).str.startswith("published: ").any()
    of_others = "published bits per byte" if published else ""
    rows = []
    for dataset in params.datasets:
        joined = across(alignment, dataset, performance).dropna(subset="bits_per_byte")
        for (_, vision), group in joined.groupby(["name", "model_y"], sort=False):
            where = (dataset, group.metric.iloc[0], group.k.iloc[0], vision)
            for of in ["score"] + ["calibrated_score"] * bool(group.calibrated_score.notna().all()):
                for method in ("pearson", "spearman"):
                    found = correlate(
                        1 - group.bits_per_byte,
                        group[of],
                        method,
                        params.resamples,
                        params.confidence,
                        params.seed,
                    )
                    note = f"{found.n} language models: too few" if found.n < FEWEST else of_others
                    rows.append((*where, of, method, found.n, found.value, found.ci_low, found.ci_high, note))
    write_table(pd.DataFrame(rows, columns=CORRELATION), out.table)
