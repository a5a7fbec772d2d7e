"""Figure 8: the geometry of colours in pixels, in a text and under language models, beside CIELAB."""

from prh.figures.colour import colour_geometry
from prh.figures.style import save
from prh.job import job
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    table, places = read_table(snakemake.input.colours), read_table(snakemake.input.places)
    drawn = (places.space == "pixels") | (places.of == params.words)
    places = places[drawn]
    kinds = places[["space", "of"]].drop_duplicates()
    labels = {name: facts["label"] for name, facts in params.models.items()}
    labels |= {"pixels": f"pixels of {params.data}", "text": "words of Webster's dictionary (1913)"}
    save(colour_geometry(places, kinds.merge(table), labels, params.caption), places, out)
