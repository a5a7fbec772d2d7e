"""Image files, as they are and as everything after them takes them."""

import numpy as np
from PIL import Image, UnidentifiedImageError

from prh.errors import InputError


def read_image(path):
    """An image file as RGB; transparency becomes white."""
    image = open_image(path)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def read_small(path, side):
    """An image file as RGB of side x side pixels, each the mean of what it covers: uint8 (side, side, 3)."""
    return np.asarray(read_image(path).resize((side, side), Image.Resampling.BOX))


def open_image(path):
    """An image file as it is, read to its end."""
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except FileNotFoundError:
        raise InputError(f"{path}: no such image") from None
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a readable image ({error}); replace it or remove its row") from None
