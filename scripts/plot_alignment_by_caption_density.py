"""Figure 9: alignment as captions say more, with its nulls, and each level's step."""

from prh.figures.density import alignment_by_caption_density
from prh.figures.style import save
from prh.job import job
from prh.tables import MEAN, read_table

with job(snakemake) as out:
    params = snakemake.params
    table = read_table(snakemake.input.density)
    table = table[table.vision == MEAN]
    figure = alignment_by_caption_density(
        table, params.models, params.caption, table.chance.iloc[0], params.k
    )
    save(figure, table, out)
