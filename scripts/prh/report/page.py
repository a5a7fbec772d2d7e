"""The page of a run: one HTML file with the figures, scores, layers and neighbours, that works without a network."""

import base64
import io
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from prh.alignment.best import named
from prh.alignment.catalogue import METRICS, parse_metric
from prh.alignment.neighbors import read_index
from prh.errors import InputError
from prh.report.run import run_of
from prh.report.story import opening, tell
from prh.tables import SCORES as LAYERS
from prh.tables import read_parts, read_table

SHOWN = 10  # neighbours of an item
DATA = "/*DATA*/null"  # where the template takes the data
THUMBNAIL = 64  # pixels; half of it where there are many items
MANY = 2000
MOST_SCORES = 20_000  # rows; with more of them only the main metric's are listed
SCORES = [
    *(
        "dataset",
        "metric",
        "k",
        "model_x",
        "model_y",
        "layer_x",
        "layer_y",
        "score",
        "chance",
        "null_mean",
        "tau",
    ),
    *("p_value", "q_value", "calibrated_score", "ci_low", "ci_high"),
]


def make_page(template, title, metric, text, models, datasets, tables, figures, titles, fitted=""):
    """The page as text.

    Parameters
    ----------
    template: the page with `DATA` where its data goes.
    metric: the main metric, METRIC@K, whose layers and neighbours are shown.
    text: label of what bits per byte are of.
    models: per model, in order, at least label, modality and init.
    datasets: per data set, in order: label, folder, tiles (the main metric's), neighbors (model -> path).
    tables: paths of the final tables of alignment, performance and correlation.
    fitted: what was left out or lowered for few items, in words.
    figures: paths of PNG files, each with its numbers beside it as CSV, per data set; titles: what each shows, by the
        file's stem.

    """
    table, *others = map(read_table, tables)
    runs = {
        name: run_of(name, facts["label"], text, metric, models, table, *others)
        for name, facts in datasets.items()
    }
    listed = table if len(table) <= MOST_SCORES else table[table.metric == parse_metric(metric)[0]]
    data = {
        "title": title,
        "metric": metric,
        "metrics": {name: METRICS[name].label for name in table.metric.unique()},
        "models": models,
        "scores": {"columns": SCORES, "rows": _rows(listed[SCORES])},
        "told": opening(next(iter(runs.values())), fitted),
        "figures": [
            {
                "dataset": name,
                "name": Path(path).stem,
                "text": titles[Path(path).stem],
                "told": tell(Path(path).stem, runs[name], Path(path).with_suffix(".csv")).paragraphs(),
                "size": Image.open(path).size,  # the page then knows its layout before the pictures are there
                "png": _image(path),
            }
            for name, paths in figures.items()
            for path in paths
        ],
        "datasets": [_dataset(name, facts, named(table, name), metric) for name, facts in datasets.items()],
    }
    packed = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    packed = packed.replace("<", "\\u003c")
    return Path(template).read_text(encoding="utf-8").replace(DATA, packed)


def _dataset(name, facts, table, metric):
    """What the page shows of one data set."""
    captions = pd.read_parquet(Path(facts["folder"]) / "captions.parquet")
    best = table[table.name == metric]
    shown = set(facts["neighbors"])
    best = best[best.model_x.isin(shown) & best.model_y.isin(shown)]
    layers = named(read_parts(facts["tiles"], LAYERS), name)
    layers = layers[(layers.name == metric) & layers.model_x.isin(shown) & layers.model_y.isin(shown)]
    grids = {
        f"{x}|{y}": group.pivot(index="layer_x", columns="layer_y", values="score")
        .round(5)
        .to_numpy()
        .tolist()
        for (x, y), group in layers.groupby(["model_x", "model_y"], sort=False)
    }
    used = {}  # model -> the layers that are the best in one of its pairs: only those are shown
    for row in best.itertuples():
        used.setdefault(row.model_x, set()).add(int(row.layer_x))
        used.setdefault(row.model_y, set()).add(int(row.layer_y))
    near = {
        model: _neighbors(path, sorted(used.get(model, {0}))) for model, path in facts["neighbors"].items()
    }
    size = THUMBNAIL if len(captions) <= MANY else THUMBNAIL // 2
    return {
        "name": name,
        "label": facts["label"],
        "captions": captions.caption.tolist(),
        "thumbnails": _thumbnails([Path(facts["folder"]) / image for image in captions.image], size),
        "grids": grids,
        "best": {f"{row.model_x}|{row.model_y}": [row.layer_x, row.layer_y] for row in best.itertuples()},
        "neighbors": near,
    }


def _neighbors(path, layers):
    """The first neighbours of every item in some layers: base64 of (layers, n, shown) uint16, little-endian."""
    ids = read_index(path)[0].numpy()
    shown = ids[layers, :, :SHOWN]
    if ids.shape[1] > np.iinfo(np.uint16).max:
        raise InputError(f"{path}: {ids.shape[1]} items are too many for the page")
    packed = base64.b64encode(shown.astype("<u2").tobytes()).decode()
    return {"layers": layers, "shown": shown.shape[2], "ids": packed}


def _thumbnails(paths, size):
    """All pictures side by side in one image, each within size x size pixels on white."""
    columns = max(1, math.isqrt(len(paths)))
    sheet = Image.new("RGB", (columns * size, -(-len(paths) // columns) * size), "white")
    for number, path in enumerate(paths):
        with Image.open(path) as image:
            small = image.convert("RGB")
        small.thumbnail((size, size), Image.Resampling.LANCZOS)
        place = (number % columns * size, number // columns * size)
        sheet.paste(small, tuple(p + (size - s) // 2 for p, s in zip(place, small.size, strict=True)))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=80)
    uri = "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
    return {"columns": columns, "rows": sheet.height // size, "image": uri}


def _image(path):
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()


def _rows(table):
    """Rows as lists that JSON can write: missing values are null."""
    return [[_plain(value) for value in row] for row in table.itertuples(index=False)]


def _plain(value):
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
