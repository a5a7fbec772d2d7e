"""Pairs of a folder of the user's: images, and a table of their captions; see `prh.sources.captions`."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from prh.errors import InputError, about
from prh.job import progress
from prh.sources.captions import choose, find_images, read_table
from prh.sources.datasets import write_dataset
from prh.sources.images import counted, store_image


def make(row, wheels, seed, folder):
    """Take image-caption pairs from the row's path: a folder with a table of captions, or the table.

    Images are stored as RGB PNG. The row's size: draw so many images with `seed`; None takes all, in the table's order.
    Its captions: what is taken of several of an image, see `choose`.

    Raises
    ------
    InputError: what `read_table` raises; fewer images than asked for; an image that is missing or cannot be read.

    """
    rule, columns = (getattr(row, column, None) for column in ("captions", "columns"))
    table = read_table(row.path, columns)
    items = some_of_table(table, row.size, seed)
    print(f"{table.source}: read as {table.read_as}", file=sys.stderr, flush=True)
    captions, everything, facts = choose(
        [item.captions for item in items], [item.id for item in items], rule, seed, table.source
    )
    (Path(folder) / "images").mkdir(parents=True)
    (place, found), rows, done = find_images(table), [], Counter()
    if place != table.images:
        print(f"images are taken from {place}", file=sys.stderr, flush=True)
    for item, caption in progress(list(zip(items, captions, strict=True)), "reading images", unit="image"):
        with about(item.where):
            name = store_image(found[item.image] or place / item.image, folder, item.id, done, as_png=True)
        rows.append((item.id, name, caption, item.image))
    facts |= {"table": table.source.name, "read_as": table.read_as, "images": counted(done)}
    write_dataset(folder, rows, everything, kind="folder", seed=seed, **facts)


def some_of_table(table, size, seed):
    """`size` items of a table, drawn with `seed`, in its order; all where size is None."""
    if size is None:
        return table.items
    if size > len(table.items):
        raise InputError(f"{table.source}: {size} pairs asked for, it has {len(table.items)}; lower `size`")
    keep = np.sort(np.random.default_rng(seed).choice(len(table.items), size=size, replace=False))
    return [table.items[i] for i in keep]
