"""Pairs of a folder of the user's: images, and captions.csv."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from prh.errors import InputError
from prh.job import progress
from prh.sources.datasets import write_dataset
from prh.sources.images import read_image


def make(row, wheels, seed, folder):
    """Take image-caption pairs from the row's path: captions.csv with the columns image, caption and perhaps id.

    Images are stored again as RGB PNG. The row's size: draw so many with `seed`; None takes all, in the file's order.

    Raises
    ------
    InputError: no captions.csv, a missing column, an empty caption, a duplicate id, an image that cannot be read.

    """
    source, size = Path(row.path), row.size
    table = _read_captions_csv(source / "captions.csv")
    if size is not None:
        if size > len(table):
            raise InputError(
                f"{source / 'captions.csv'}: {size} pairs asked for, it has {len(table)}; lower `size`"
            )
        keep = np.sort(np.random.default_rng(seed).choice(len(table), size=size, replace=False))
        table = table.iloc[keep]
    (Path(folder) / "images").mkdir(parents=True)
    rows = []
    for pair in progress(table.itertuples(index=False), "reading images", total=len(table), unit="image"):
        name = f"images/{pair.id}.png"
        read_image(source / pair.image).save(Path(folder) / name)
        rows.append((pair.id, name, pair.caption, pair.image))
    note = f"Images and captions: {row.licence}.\n"
    write_dataset(folder, rows, note, licence=row.licence, kind="folder", seed=seed)


def _read_captions_csv(path):
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; a folder data set needs it") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path}: not a readable CSV file ({error})") from None
    for column in ("image", "caption"):
        if column not in table:
            raise InputError(f"{path}: column `{column}` is missing; found: {', '.join(table.columns)}")
    if not isinstance(table.index, pd.RangeIndex):  # how pandas reads rows that are longer than the header
        raise InputError(
            f"{path}, line 2: more cells than columns; a text with a comma in it needs quotes around it"
        )
    if table.empty:
        raise InputError(f"{path}: no pairs in it; a line per image is needed")
    if "id" not in table:
        table["id"] = [Path(image).stem for image in table["image"]]
    for number, row in enumerate(table.itertuples(index=False), start=2):
        if not row.caption.strip():
            raise InputError(f"{path}, line {number}: the caption is empty")
        if not re.fullmatch(r"[\w.-]+", row.id):
            raise InputError(
                f"{path}, line {number}: id `{row.id}` may have letters, digits, `_`, `.` and `-` only"
            )
        if Path(row.image).is_absolute() or ".." in Path(row.image).parts:
            raise InputError(
                f"{path}, line {number}: image `{row.image}` must lie within the data set's folder"
            )
    twice = table["id"][table["id"].duplicated()]
    if len(twice):
        raise InputError(f"{path}: id `{twice.iloc[0]}` stands twice; ids must be unique")
    return table
