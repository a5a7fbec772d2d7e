"""Figure 2 of the paper, left: agreement of vision models with each other over what they are good for."""

from prh.figures.style import save
from prh.figures.vision import convergence_numbers, vision_convergence
from prh.job import job
from prh.tables import read_table

with job(snakemake) as out:
    given = snakemake.input
    numbers = convergence_numbers(
        *(read_table(given[name]) for name in ("convergence", "vision_pairs", "competence"))
    )
    save(vision_convergence(numbers, snakemake.params.caption), numbers, out)
