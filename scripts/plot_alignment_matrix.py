"""All models by all models: a heatmap of their alignment."""

from prh.job import job
from prh.plots import alignment_matrix, save
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    table = read_table(snakemake.input.alignment)
    table = table[(table.dataset == params.dataset) & (table.metric == params.metric) & (table.k == params.k)]
    figure = alignment_matrix(table, params.models, params.caption, f"{params.metric}, k = {params.k}")
    save(figure, table[["dataset", "metric", "k", "model_x", "model_y", "score"]], out)
