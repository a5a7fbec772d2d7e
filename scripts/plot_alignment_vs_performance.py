"""Figure 3 of the paper: alignment over language-model performance; in the paper's panels where the ViTs have sizes."""

from prh.alignment.best import across
from prh.figures.performance import alignment_by_family, alignment_vs_performance, has_sizes
from prh.figures.style import save
from prh.job import job
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    table = across(
        read_table(snakemake.input.alignment), params.dataset, read_table(snakemake.input.performance)
    )
    table = table[table.name == params.metric]
    draw = alignment_by_family if has_sizes(table, params.models) else alignment_vs_performance
    figure = draw(table, params.models, params.caption, params.performance_label)
    save(
        figure,
        table[["dataset", "metric", "k", "model_x", "model_y", "bits_per_byte", "score", "chance"]],
        out,
    )
