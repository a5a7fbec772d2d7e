"""Data sets of image-caption pairs: a folder with images/, captions.parquet, LICENCE.txt and a manifest."""

from pathlib import Path

import pandas as pd

from prh.errors import damaged
from prh.provenance import read_manifest, write_manifest

COLUMNS = ("id", "image", "caption", "source")
ALL = "captions"  # one more column where features are averaged over all captions of a pair


def write_dataset(folder, rows, note, everything=None, **facts):
    """Finish a data set whose images are there: captions, licence note, and a manifest with `facts`.

    rows: (id, image, caption, source) of each pair, in order. everything: of each pair the list of all its captions, where
    features are averaged over them.
    """
    folder = Path(folder)
    table = pd.DataFrame(rows, columns=COLUMNS)
    if everything is not None:
        table[ALL] = everything
    table.to_parquet(folder / "captions.parquet", index=False)
    (folder / "LICENCE.txt").write_text(note, encoding="utf-8")
    write_manifest(folder, pairs=len(rows), **facts)


def read_captions(folder):
    """The pairs of a finished data set: a DataFrame with the columns id, image, caption, source, and perhaps captions."""
    path = Path(folder) / "captions.parquet"
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise damaged(path, error, "remove the data set to have it made again") from None


def which_caption(folder):
    """{"caption": "first" or "drawn"} of a data set whose pairs have several captions: which one stands for all; else {}."""
    rule = read_manifest(folder).get(ALL)
    return {"caption": "drawn" if rule == "drawn" else "first"} if rule else {}


def paths_of(dataset):
    """Where the images of a data set lie, in the order of its pairs."""
    return [Path(dataset) / image for image in read_captions(dataset).image]
