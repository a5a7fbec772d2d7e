"""Image files of any kind, as a viewer shows them: what a data set stores, and so what everything after it takes."""

import io
import struct
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from prh.errors import NOT_YOURS, InputError

RULE = (
    "As a viewer shows it: the first frame, upright, in sRGB, on white. Of grey values of more than eight bits, or floats: black is 0, "
    "white the end of the smallest range that has them all, of 0..1 (floats only), 0..255, 0..1023, 0..4095, 0..16383, 0..65535. "
    "Where values are below 0 or above 65535, or floats that end between 1 and 64, black is the least value, white the greatest. "
    "What is no number is black."
)
ENDS = (255, 1023, 4095, 16383, 65535)  # of 8, 10, 12, 14 and 16 bits
FEW = 64  # floats that end between 1 and this would be too dark of 255
# What is done to an image, in words that a manifest counts.
FIRST = "the first of several frames taken"
TURNED = "turned upright"
SCALED, OWN_RANGE = "scaled from 0..{}", "scaled from its least to its greatest value"
PROFILE, NO_PROFILE = "colour profile brought to sRGB", "colour profile left aside, which does not fit"
LAB = "CIELAB brought to sRGB"
ON_WHITE = "transparency put on white"
AS_IT_IS = {FIRST, NO_PROFILE}  # what any reader does
KEPT, AGAIN = "stored as they came", "stored again as PNG"

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by the number that EXIF has
SPACES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK", "Lab ": "LAB"}  # of a profile, as Pillow calls them


def read_image(path):
    """An image file as a viewer shows it, by `RULE`: RGB. Raises `InputError` for one that cannot be read."""
    with _readable(path):
        return shown(_opened(path))[0]


def open_image(path):
    """An image file as it is, read to its end. Raises `InputError` for one that cannot be read."""
    with _readable(path):
        return _opened(path)


def read_small(path, side):
    """An image file as RGB of side x side pixels, each the mean of what it covers: uint8 (side, side, 3)."""
    return np.asarray(read_image(path).resize((side, side), Image.Resampling.BOX))


def store_image(source, folder, stem, done, name=None, ending=None, as_png=False):
    """Store an image in a data set: the bytes as they came where any reader takes them for RGB as a viewer shows it, else again as PNG.

    Parameters
    ----------
    source, name: a path; or bytes, and what messages call them.
    folder, stem, ending: of the data set, and of the file in it; the ending is that of its format where none is given.
    done: a Counter, in which is counted what was done, see `counted`.
    as_png: again as PNG in any case.

    Returns the path within the folder. Raises `InputError` for an image that cannot be read.

    """
    with _readable(name or source):
        data = Path(source).read_bytes() if name is None else source or b""
        image = _opened(io.BytesIO(data))
        picture, changes = shown(image)
    again = as_png or {*changes} - AS_IT_IS
    done.update([*changes, AGAIN if again else KEPT])
    stored = f"images/{stem}.{'png' if again else ending or image.format.lower()}"
    if again:
        picture.save(Path(folder) / stored)
    else:
        (Path(folder) / stored).write_bytes(data)
    return stored


def counted(done):
    """For a manifest, and the log: the rule, and of how many images what was done. done: a Counter of such words."""
    counts = dict(sorted(done.items()))
    print("images:", ", ".join(f"{count} {what}" for what, count in counts.items()), file=sys.stderr)
    return {"rule": RULE, "counts": counts}


def shown(image):
    """An opened image as a viewer shows it, by `RULE`: it in RGB, and what was done, in words.

    A profile that changes no value by more than one is sRGB's own but for rounding, and changes nothing.
    Raises `ValueError` for an image that has no number in it.
    """
    done = [FIRST] if getattr(image, "is_animated", False) else []
    icc = image.info.get("icc_profile")
    turn = TURNS.get(_orientation(image))
    if image.mode[0] in "IF":
        grey, alpha, words = _of_eight_bits(image)
        done.append(words)
    else:
        kind = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK", "LAB": "LAB"}.get(image.mode, "RGB")
        alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
        grey = image if image.mode == kind else image.convert("RGBA" if alpha else kind).convert(kind)
    picture, words = _in_srgb(grey, icc)
    done += words
    if alpha and alpha.getextrema()[0] < 255:
        picture.putalpha(alpha)
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
        done.append(ON_WHITE)
    if turn is not None:
        picture = picture.transpose(turn)
        done.append(TURNED)
    return picture, done


def _orientation(image):
    """EXIF's number of how it is turned; None where there is none, or only a damaged one, which viewers leave aside."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, struct.error):
        return None


def _of_eight_bits(image):
    """Grey values of more bits, or floats, in eight bits, by `RULE`; its transparency or None; and what was done."""
    values, tags = np.asarray(image), getattr(image, "tag_v2", {})  # the tags of a TIFF
    if image.mode == "I" and tags.get(258) == (32,) and tags.get(339, (1,)) == (1,):
        values = values.view(np.uint32)  # Pillow takes them for signed ones
    known = values[np.isfinite(values)]
    if not known.size:
        raise ValueError("no value in it is a number")
    floats, least, greatest = image.mode == "F", float(known.min()), float(known.max())
    end = next((end for end in (1,) * floats + ENDS if greatest <= end), None)
    if least < 0 or end is None or (floats and 1 < greatest < FEW):
        begin, end, done = least, greatest, OWN_RANGE
    else:
        begin, done = 0, SCALED.format(end)
    share = (values.astype(float) - begin) / (end - begin or 1)
    if tags.get(262) == 0:  # 0 is white
        share = 1 - share
    share = np.clip(np.nan_to_num(share, nan=0), 0, 1)
    clear = image.info.get("transparency")  # of a PNG: the value that is not seen
    alpha = None if clear is None else Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))
    return Image.fromarray(np.rint(share * 255).astype(np.uint8)), alpha, done


def _in_srgb(image, icc):
    """An image of the modes L, RGB, CMYK or LAB as RGB, by its colour profile where it has one, and what was done."""
    srgb, done = ImageCms.createProfile("sRGB"), []
    plain = image.convert("RGB") if image.mode != "LAB" else None
    if icc:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            if SPACES.get(profile.profile.xcolor_space) == image.mode:
                found = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
                if plain and np.abs(np.asarray(found, dtype=int) - np.asarray(plain)).max() <= 1:
                    return plain, []
                return found, [PROFILE]
        except (OSError, ImageCms.PyCMSError):
            pass
        done = [NO_PROFILE]
    if plain:
        return plain, done
    return ImageCms.profileToProfile(image, ImageCms.createProfile("LAB"), srgb, outputMode="RGB"), [
        *done,
        LAB,
    ]


def _opened(file):
    with Image.open(file) as image:
        getattr(image, "is_animated", False)  # counted while the file is open, and kept
        image.load()
        return image


@contextmanager
def _readable(name):
    """One line for whatever is wrong with the image `name`."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{name}: no such image") from None
    except PermissionError:
        raise InputError(f"{name}: {NOT_YOURS}") from None
    except UnidentifiedImageError:
        raise InputError(
            f"{name}: not a readable image (of no known format); replace it or remove its row"
        ) from None
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise InputError(f"{name}: not a readable image ({error}); replace it or remove its row") from None
