"""Images through a vision model that takes pixels: preprocessing and batches, the same for every such adapter."""

from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from PIL import Image

from prh.errors import InputError
from prh.features.layers import LayerCollector
from prh.job import progress
from prh.sources.images import open_image

_opened = open_image


@contextmanager
def decoded_once():
    """Within it an image file is decoded once, for all models that see it, and kept in memory."""
    global _opened
    _opened = cache(open_image)
    try:
        yield
    finally:
        _opened = open_image


def extract_features(layers_of, row, paths, batch_size):
    """Features of the images at `paths`, in order: name -> (n, d) float32. `layers_of` comes from `load`."""
    collector = LayerCollector(len(paths))
    batches = [range(i, min(i + batch_size, len(paths))) for i in range(0, len(paths), batch_size)]
    for positions in progress(batches, "extracting", unit="batch"):
        images = torch.stack([preprocess(_opened(paths[i]), row) for i in positions])
        with torch.inference_mode():
            collector.add(list(positions), layers_of(images))
    return collector.finished()


def preprocess(image, row):
    """An image of a data set, which is stored as viewers show it, as the model wants it: (3, size, size) float32.

    The short side is resized to the row's image_size with its interpolation, the middle is cut out square,
    values in 0 ... 1 are normalised with the row's mean and std.
    """
    size = row.image_size
    image = image.convert("RGB")
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling[row.interpolation.upper()])
    left, top = (width - size) // 2, (height - size) // 2
    pixels = np.asarray(image.crop((left, top, left + size, top + size)), dtype=np.float32) / 255
    pixels = (pixels - np.float32(row.mean)) / np.float32(row.std)
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def choose_pooling(asked, has_class, has_pool):
    """How tokens of an image become one vector: as asked, or by the class token where there is one, else by the mean over patches.

    Raises `InputError` for a class token, or an attention pool, that the model has not.
    """
    for which, there, what in (("cls", has_class, "class token"), ("map", has_pool, "attention pool")):
        if asked == which and not there:
            raise InputError(f"pooling is {which}, but the model has no {what}; leave it out, or take mean")
    return asked or ("cls" if has_class else "mean")


def check_said(row, found):
    """Raise `InputError` where a model's row says something else of its images than the model does, by column."""
    for column, value in found.items():
        said = getattr(row, column)
        pairs = zip(said, value, strict=True) if isinstance(said, list) else [(said, value)]
        alike = said is None or all(a == b if isinstance(a, str) else abs(a - b) < 1e-4 for a, b in pairs)
        if not alike:
            raise InputError(f"model table, row `{row.name}`: {column} is {said}, but the model has {value}")
