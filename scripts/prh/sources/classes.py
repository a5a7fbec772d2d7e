"""Images in folders named after what they show, or in one folder: the folder's name is the caption."""

from collections import Counter
from pathlib import Path

import numpy as np

from prh.errors import InputError
from prh.job import progress
from prh.sources.datasets import write_dataset
from prh.sources.images import counted, store_image

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".ppm", ".tif", ".tiff", ".bmp"}


def make(row, wheels, seed, folder):
    """Take images from below the row's path, each captioned with the name of the folder that it lies in.

    row.size: at most so many, drawn with `seed`; None takes all.
    Raises `InputError` where there are none, and for an image that cannot be read.
    """
    source = Path(row.path).expanduser()
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in ENDINGS)
    if not paths:
        raise InputError(f"{source}: no images in it or below it; put them there, or correct `path`")
    (Path(folder) / "images").mkdir(parents=True)
    rows, done = [], Counter()
    for number in progress(some_of(len(paths), row.size, seed), "copying images", unit="image"):
        path = paths[number]
        ending = path.suffix[1:].lower()
        name = store_image(path, folder, f"{number:06d}", done, ending=ending)
        rows.append((f"{number:06d}", name, path.parent.name, path.relative_to(source).as_posix()))
    about = {"kind": "classes", "seed": seed, "images": counted(done)}
    write_dataset(folder, rows, **about)


def some_of(n, most, seed):
    """Numbers of at most `most` of n items, drawn at random, in order; all where `most` is None."""
    if most is None or n <= most:
        return list(range(n))
    return np.sort(np.random.default_rng(seed).choice(n, size=most, replace=False)).tolist()
