"""Figure 3 of the paper: alignment over language-model performance."""

from prh.job import job
from prh.plots import alignment_vs_performance, save
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    alignment, performance = read_table(snakemake.input.alignment), read_table(snakemake.input.performance)
    table = alignment[(alignment.modality_x == "language") & (alignment.modality_y == "vision")]
    table = table[(table.dataset == params.dataset) & (table.metric == params.metric) & (table.k == params.k)]
    table = table.merge(
        performance[["model", "bits_per_byte"]], how="left", left_on="model_x", right_on="model"
    )
    figure = alignment_vs_performance(
        table, params.models, params.caption, params.performance_label, f"{params.metric}, k = {params.k}"
    )
    save(
        figure,
        table[["dataset", "metric", "k", "model_x", "model_y", "bits_per_byte", "score", "chance"]],
        out,
    )
