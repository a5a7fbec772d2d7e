"""Figure 12 of the paper: do the metrics order model pairs alike?"""

from prh.alignment.best import named
from prh.figures.metrics import agreement, metric_agreement
from prh.figures.style import save
from prh.job import job
from prh.tables import read_table

with job(snakemake) as out:
    table = named(read_table(snakemake.input.alignment), snakemake.params.dataset)
    square = agreement(table)
    pairs = len(table.drop_duplicates(["model_x", "model_y"]))
    figure = metric_agreement(square, pairs, snakemake.params.caption)
    save(figure, square.rename_axis("metric").reset_index(), out)
