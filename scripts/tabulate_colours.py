"""How much like CIELAB colours lie by pixels, by a text and under language models: correlation, fit, nulls, intervals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from prh.alignment import colour
from prh.features.images import paths_of
from prh.job import job, progress
from prh.sources.colours import read_definitions, read_words, to_cielab
from prh.sources.images import read_small
from prh.tables import COLOUR, COLOUR_PLACES, write_table

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    rows, places, asked = [], [], params.settings
    table = read_words(given.words)
    images = np.stack(
        [read_small(p, asked["pixels"]) for p in progress(paths_of(given.dataset), "reading", unit="image")]
    )
    texts = read_definitions(given.text)

    def measure(space, of, distances, cielab, names, meetings=None):
        """A row of the table, and the places of its colours."""
        layout, stress = colour.embed(distances, asked["starts"], params.seed)
        fitted, found = colour.compare(distances, layout, cielab, asked["permutations"], params.seed)
        if meetings:
            ends = colour.intervals(meetings, layout, asked["resamples"], params.confidence, params.seed)
            found |= {
                f"{name}_{end}": found[name] + ends[name][i]
                for name in ends
                for i, end in enumerate(("low", "high"))
            }
        rows.append({"space": space, "of": of, "n": len(cielab), "stress": stress} | found)
        for name, true, at in zip(names, cielab, fitted, strict=True):
            place = dict(zip(("true_l", "true_a", "true_b", "l", "a", "b"), [*true, *at], strict=True))
            places.append({"space": space, "of": of, "colour": name} | place)

    plain = {
        "pairs": asked["pairs"],
        "radius": asked["radius"],
        "grid": asked["grid"],
        "fewest": asked["hits"],
        "smoothing": asked["smoothing"],
    }
    seen = colour.pixel_meetings(images, **plain, seed=params.seed)
    grid = f"{asked['grid']} steps a side"
    cells = [f"cell {cell}" for cell in seen.kept]
    measure("pixels", grid, seen.distances(), seen.cielab, cells, seen)
    measure("pixels, partners shuffled", grid, seen.shuffled(params.seed).distances(), seen.cielab, cells)
    for (
        key,
        values,
    ) in params.others.items():  # what a setting does: the correlation alone, which needs no embedding
        for value in values:
            other = colour.pixel_meetings(images, **plain | {key: value}, seed=params.seed)
            rho = colour.correlation(other.distances(), other.cielab)
            rows.append({"space": "pixels", "of": f"{key} {value}", "n": len(other.kept), "rho": rho})
    spaces = [json.loads(Path(path).read_text(encoding="utf-8")) for path in given.models]
    for name in dict.fromkeys(word for words in table.sets for word in words):
        chosen = table[table.sets.map(lambda words, name=name: name in words)]
        words, cielab = chosen.word.tolist(), to_cielab(chosen.srgb.tolist())
        if name == asked["words"]:
            read = colour.word_meetings(texts, words, cielab, asked["window"], asked["smoothing"])
            measure("text", name, read.distances(), read.cielab, words, read)
            shuffled = read.shuffled(params.seed).distances()
            measure("text, words shuffled", name, shuffled, read.cielab, words)
        for space in spaces:
            where = [space["words"].index(word) for word in words]
            distances = np.array(space["distances"])[np.ix_(where, where)]
            measure(space["model"], name, distances, cielab, words)
    write_table(pd.DataFrame(rows).reindex(columns=COLOUR), out.table)
    write_table(pd.DataFrame(places)[COLOUR_PLACES], out.places)
