"""Figure 4 of the paper: benchmark scores over alignment with one vision model."""

from prh.alignment.best import across
from prh.figures.performance import alignment_vs_downstream
from prh.figures.style import save
from prh.job import job
from prh.performance.downstream import OF_CAPTIONS
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    table = across(read_table(snakemake.input.alignment), params.dataset)
    table = table[(table.name == params.metric) & (table.model_y == params.vision)]
    scores = read_table(snakemake.input.downstream)
    scores = scores[~scores.measure.isin(OF_CAPTIONS)].drop(columns="documents")
    table = table[["dataset", "metric", "k", "name", "model_x", "model_y", "score"]].merge(
        scores, left_on="model_x", right_on="model"
    )
    figure = alignment_vs_downstream(table, params.models, params.caption)
    save(figure, table.drop(columns=["name", "model"]), out)
