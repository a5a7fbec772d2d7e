"""All models by all models: a heatmap of their alignment."""

from prh.alignment.best import named
from prh.figures.pairs import alignment_matrix
from prh.figures.style import save
from prh.job import job
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    table = named(read_table(snakemake.input.alignment), params.dataset)
    table = table[table.name == params.metric]
    figure = alignment_matrix(table, params.models, params.caption)
    save(figure, table[["dataset", "metric", "k", "model_x", "model_y", "score"]], out)
