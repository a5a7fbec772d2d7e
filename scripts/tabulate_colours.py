"""How much like CIELAB colours lie by pixels, by a text and under language models: correlation, fit, nulls, intervals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from prh.alignment import colour
from prh.job import job, progress
from prh.sources.colours import read_definitions, read_words, to_cielab
from prh.sources.datasets import paths_of
from prh.sources.images import read_small
from prh.tables import COLOUR, COLOUR_PLACES, write_table

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    asked, level, seed = params.settings, params.confidence, params.seed
    middle = [(1 - level) / 2, (1 + level) / 2]
    rows, places = [], []

    def measure(space, of, distances, cielab, names, meetings=None):
        """A row of the table, and the places of its colours."""
        layouts, stresses = colour.embed(distances, asked["starts"], seed)
        fitted, found = colour.compare(distances, layouts, stresses, cielab, asked["permutations"], seed)
        if meetings:
            ends = colour.intervals(meetings, layouts[0], asked["resamples"], middle, seed)
            for name, (low, high) in ends.items():
                found |= {f"{name}_low": found[name] + low, f"{name}_high": found[name] + high}
        rows.append({"space": space, "of": of, "n": len(cielab), "stress": stresses[0]} | found)
        for name, true, at in zip(names, cielab, fitted, strict=True):
            places.append(dict(zip(COLOUR_PLACES, [space, of, name, *true, *at], strict=True)))

    def control(space, of, meetings):
        """A row of the correlation when partners are shuffled: its mean, and the middle of so many shuffles."""
        found = colour.shuffled_correlations(meetings, asked["resamples"], seed)
        low, high = np.quantile(found, middle)
        row = {"space": f"{space}, partners shuffled", "of": of, "n": len(meetings.kept)}
        rows.append(row | {"rho": found.mean(), "rho_low": low, "rho_high": high})

    read = progress(paths_of(given.dataset), "reading", unit="image")
    images = np.stack([read_small(path, asked["pixels"]) for path in read])
    plain = {key: asked[key] for key in ("pairs", "radius", "grid", "hits", "smoothing")}
    seen, grid = colour.pixel_meetings(images, **plain, seed=seed), f"{asked['grid']} steps a side"
    measure("pixels", grid, seen.distances(), seen.cielab, [f"cell {cell}" for cell in seen.kept], seen)
    control("pixels", grid, seen)
    for key, value in ((key, value) for key, values in params.others.items() for value in values):
        other = colour.pixel_meetings(images, **plain | {key: value}, seed=seed)  # what a setting does to rho
        rho = colour.correlation(other.distances(), other.cielab)
        rows.append({"space": "pixels", "of": f"{key} {value}", "n": len(other.kept), "rho": rho})
    table = read_words(given.words)
    spaces = [json.loads(Path(path).read_text(encoding="utf-8")) for path in given.models]
    for name in dict.fromkeys(name for sets in table.sets for name in sets):
        chosen = table[[name in sets for sets in table.sets]]
        words, cielab = chosen.word.tolist(), to_cielab(chosen.srgb.tolist())
        if name == asked["words"]:
            texts = read_definitions(given.text)
            met = colour.word_meetings(texts, words, cielab, asked["window"], asked["smoothing"])
            measure("text", name, met.distances(), cielab, words, met)
            control("text", name, met)
        for space in spaces:
            where = [space["words"].index(word) for word in words]
            distances = np.array(space["distances"])[np.ix_(where, where)]
            measure(space["model"], name, distances, cielab, words)
    write_table(pd.DataFrame(rows).reindex(columns=COLOUR), out.table)
    write_table(pd.DataFrame(places), out.places)
