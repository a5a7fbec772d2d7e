"""Figure 2 of the paper, right: vision models on a map by how they agree."""

from prh.figures.style import save
from prh.figures.vision import vision_map
from prh.job import job
from prh.tables import read_table

HOW = {"mds": "metric MDS", "umap": "UMAP"}

with job(snakemake) as out:
    params = snakemake.params
    table = read_table(snakemake.input.vision_places).merge(
        read_table(snakemake.input.competence), on="model"
    )
    facts = {
        column: table.model.map({m: f[column] for m, f in params.models.items()})
        for column in ("label", "training")
    }
    numbers = table.assign(**facts)[
        [
            "model",
            "label",
            "training",
            "share",
            "share_low",
            "share_high",
            "x",
            "y",
            "agreement",
            "agreement_null",
        ]
    ]
    save(vision_map(numbers, params.caption, HOW[params.how]), numbers, out)
