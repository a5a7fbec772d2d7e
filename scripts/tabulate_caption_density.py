"""Alignment by the density of captions: each language model at each level with each vision model, and their mean."""

from types import SimpleNamespace

from prh.alignment.density import density_rows, density_table
from prh.alignment.neighbors import index_layers
from prh.alignment.preprocess import prepared
from prh.errors import about
from prh.features.layers import read_features
from prh.job import job, progress, use_threads
from prh.sources.caption_levels import OWN, distinct_captions, items_of, read_levels
from prh.tables import write_table

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    use_threads(snakemake.threads)
    draws, levels = SimpleNamespace(**params.draws), read_levels(given.levels[0])
    place = {caption: i for i, caption in enumerate(distinct_captions(levels))}
    items = items_of(levels)

    def neighbors(path, rows):
        """The neighbour table of some rows of a feature file."""
        with about(path):
            layers = [layer[rows] for layer in read_features(path)[0]]
            return index_layers(prepared(layers, params.clamp, params.concatenate, params.device), params.k)

    vision = dict(zip(params.vision, (neighbors(path, items) for path in given.vision), strict=True))
    rows, shares = [], {}
    own_files = given.own or [None] * len(params.language)  # none where captions were summarised
    files = list(zip(params.language, given.language, own_files, strict=True))
    tasks = [(*file, level) for file in files for level in levels.level.unique()]
    for model, dense, own, level in progress(tasks, "aligning", unit="level"):
        mine = levels[levels.level == level]
        found = neighbors(own, items) if level == OWN else neighbors(dense, mine.caption.map(place).tolist())
        facts = {"dataset": params.dataset[0], "level": level, "words": mine.words.mean(), "language": model}
        made, shares[model, level] = density_rows(facts, found, vision, params.trained, params.k, draws)
        rows += made
    write_table(density_table(rows, shares, draws), out.table)
