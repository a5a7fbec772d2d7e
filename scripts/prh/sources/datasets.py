"""Data sets of image-caption pairs: a folder with images/, captions.parquet and a manifest."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from prh.errors import damaged
from prh.provenance import read_manifest, write_manifest

COLUMNS = ("id", "image", "caption", "source")
ALL = "captions"  # one more column where features are averaged over all captions of a pair


class Part(NamedTuple):
    """The pairs `begin` ... `end` - 1 of the data set in `folder`: what reads a data set takes it in its place."""

    folder: Path
    begin: int
    end: int


def write_dataset(folder, rows, everything=None, **facts):
    """Finish a data set whose images are there: captions, and a manifest with `facts`.

    rows: (id, image, caption, source) of each pair, in order. everything: of each pair the list of all its captions, where
    features are averaged over them.
    """
    folder = Path(folder)
    table = pd.DataFrame(rows, columns=COLUMNS)
    if everything is not None:
        table[ALL] = everything
    table.to_parquet(folder / "captions.parquet", index=False)
    write_manifest(folder, pairs=len(rows), **facts)


def read_captions(dataset):
    """The pairs of a finished data set, or of a `Part`: a DataFrame with the columns id, image, caption, source, and perhaps captions."""
    folder, *ends = dataset if isinstance(dataset, Part) else (dataset, None, None)
    path = Path(folder) / "captions.parquet"
    try:
        return pd.read_parquet(path).iloc[slice(*ends)].reset_index(drop=True)
    except (OSError, ValueError) as error:
        raise damaged(path, error, "remove the data set to have it made again") from None


def which_caption(folder):
    """{"caption": "first" or "drawn"} of a data set whose pairs have several captions: which one stands for all; else {}."""
    rule = read_manifest(folder).get(ALL)
    return {"caption": "drawn" if rule == "drawn" else "first"} if rule else {}


def paths_of(dataset):
    """Where the images of a data set, or of a `Part`, lie, in the order of its pairs."""
    folder = Path(dataset.folder if isinstance(dataset, Part) else dataset)
    return [folder / image for image in read_captions(dataset).image]
