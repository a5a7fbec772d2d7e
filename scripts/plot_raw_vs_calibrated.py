"""The follow-up's main figure: alignment before and after null calibration."""

from prh.alignment.best import named
from prh.figures.metrics import raw_vs_calibrated
from prh.figures.style import save
from prh.job import job
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    table = named(read_table(snakemake.input.alignment), params.dataset).dropna(subset="calibrated_score")
    correlation = named(read_table(snakemake.input.correlation), params.dataset)
    correlation = correlation[(correlation.method == "pearson") & correlation.name.isin(table.name)]
    columns = [
        "dataset",
        "metric",
        "k",
        "model_x",
        "model_y",
        "score",
        "null_mean",
        "tau",
        "q_value",
        "calibrated_score",
    ]
    save(raw_vs_calibrated(table, correlation, params.caption), table[columns], out)
