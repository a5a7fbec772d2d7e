"""Which image has which captions: the tables that users bring, and what is taken where an image has several.

Read are, by their first line: tables with a heading (commas, tabs or |), Flickr8k's `IMAGE#NUMBER<tab>caption`; by their names
JSON lines, and COCO's JSON (images, annotations); and folders in which each image has a text file of its name beside it.
"""

import csv
import hashlib
import json
import os
import re
import sys
import unicodedata
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from prh.errors import InputError, check_readable

# The names under which a folder's table is looked for, if it has no captions.csv.
OWN_NAME = "captions.csv"
OTHER_NAMES = (
    *("captions.tsv", "captions.txt", "captions.jsonl", "captions.json", "metadata.csv", "metadata.jsonl"),
    *("results.csv", "*.token", "*.token.txt", "captions_*.json", "annotations/captions_*.json"),
)
# Headings of an image and of a caption: the project's own first, then those of other tools.
IMAGE_HEADINGS = (
    *("image", "file_name", "filename", "image_name", "image_path", "image_file", "filepath", "file_path"),
    *("file", "img", "path"),
)
CAPTION_HEADINGS = ("caption", "text", "comment", "captions", "texts", "sentence", "description", "title")
SEPARATORS = {",": "commas", "\t": "tabs", "|": "|"}
TOKEN = re.compile(r"(.+)#\d+\t(.*)")
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".ppm", ".tif", ".tiff", ".bmp", ".gif"}
RULES = ("first", "drawn", "mean")  # of several captions of an image
LONGEST_ID = 60  # characters, of up to four bytes: a file's name may have 255 bytes

csv.field_size_limit(2**31 - 1)  # a caption may be long


class Item(NamedTuple):
    """An image by its path below the table's images, all of its captions, its id, and where it stands, for messages."""

    image: str
    captions: list[str]
    id: str
    where: str


class Table(NamedTuple):
    """What was read: from which file or folder, as what, where its images lie, and the items, in order of their first rows."""

    source: Path
    read_as: str
    images: Path
    items: list[Item]


class _Row(NamedTuple):
    """A row of a table: an image, a caption or several, an id or None, and where it stands."""

    image: str
    captions: list[str]
    id: str | None
    where: str


def read_table(path, columns=None):
    """The items of a folder, or of a table whose images lie beside it.

    Parameters
    ----------
    path: the folder, or the table in it; `~` is the home folder.
    columns: "IMAGE CAPTION", the headings of a table's two columns; None finds them among those that are known.

    Raises
    ------
    InputError: no table, or several; a missing column, an empty caption, an open quote, a row of another number of cells, a
        given id that is not unique; each with its line.

    """
    path = Path(path).expanduser()
    source = _find(path) if path.is_dir() or not path.suffix else path
    if source.is_dir():
        return Table(source, "a text file beside each image", source, _items(_beside(source)))
    text = _text(source)
    if source.suffix.lower() == ".json":
        rows, read_as = _coco(source, text), "COCO's images and annotations"
    elif source.suffix.lower() in (".jsonl", ".ndjson"):
        rows, read_as = _json_lines(source, text, columns)
    else:
        rows, read_as = _rows(source, text, columns)
    if not rows:
        raise InputError(f"{source}: no pairs in it; a line per image is needed")
    items = _items(rows)
    below = source.parent.parent if source.parent.name == "annotations" else source.parent
    return Table(source, read_as, path if path.is_dir() else below, items)


def find_images(table):
    """Where the images of a table lie: their folder, and the path of each by its name in the table; None for one that is not there.

    The folder is the table's own, or the one folder below it that has the first image. Raises `InputError` where several have it.
    """
    first, folder = table.items[0].image, table.images
    if not _there(folder, first):
        below = [Path(parent) for parent, _, _ in os.walk(folder) if _there(Path(parent), first)]
        if len(below) > 1:
            raise InputError(
                f"{folder}: `{first}` lies in {below[0].name}/ and in {below[1].name}/; put the table beside the images that it is of"
            )
        folder = below[0] if below else folder
    return folder, {item.image: _there(folder, item.image) for item in table.items}


def _there(folder, image):
    """The image's path; also where a system writes its name in another form of Unicode, or its folders with backslashes."""
    if os.path.isfile(f"{folder}/{image}"):  # noqa: PTH113, of 100,000 images
        return folder / image
    names = [image, image.replace("\\", "/")]
    names += [unicodedata.normalize(form, name) for name in names for form in ("NFC", "NFD")]
    return next((folder / name for name in dict.fromkeys(names) if (folder / name).is_file()), None)


def choose(captions, ids, rule, seed, where):
    """Of several captions of each item what is taken: (one of each, all of each or None, facts for the manifest).

    captions: a list of lists. rule: "first"; "drawn", by the seed and the item's id; "mean", where the features of all are
    averaged, and what takes a single caption takes the first; None is "first". The log says which, where an item has several.
    """
    count = sum(map(len, captions))
    if count == len(captions):
        return [texts[0] for texts in captions], None, {}
    taken = rule or RULES[0]
    said = f"{where}: {len(captions):,} images have {count:,} captions"
    print(
        f"{said}; taken: {taken}. The column `captions` of the data set table says first, drawn or mean",
        file=sys.stderr,
        flush=True,
    )
    if taken == "drawn":
        one = [
            texts[_number(f"{seed} {item}") % len(texts)] for item, texts in zip(ids, captions, strict=True)
        ]
    else:
        one = [texts[0] for texts in captions]
    return one, captions if taken == "mean" else None, {"captions": taken, "captions_there": count}


def _number(text):
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


def _find(folder):
    """The table of a folder; the folder itself where each image has a text beside it."""
    if (folder / OWN_NAME).is_file():
        return folder / OWN_NAME
    found = sorted({path for name in OTHER_NAMES for path in folder.glob(name) if path.is_file()})
    if len(found) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in found)
        raise InputError(f"{folder}: {names}: name one of them in `path` of the data set table")
    if found:
        return found[0]
    if any(path.with_suffix(".txt").is_file() for path in _pictures(folder)):
        return folder
    others = [path for ending in ("csv", "tsv", "jsonl") for path in folder.rglob(f"*.{ending}")]
    names = ", ".join(path.relative_to(folder).as_posix() for path in sorted(others)[:5])
    advice = f"; name one of these in `path` of the data set table: {names}" if names else ""
    raise InputError(f"{folder / OWN_NAME}: no such file; a folder data set needs it{advice}")


def _pictures(folder):
    for parent, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(files) if Path(name).suffix.lower() in PICTURES)


def _beside(folder):
    """A text file beside each image, as img2dataset writes them: each line is a caption."""
    rows = []
    for path in _pictures(folder):
        text, name = path.with_suffix(".txt"), path.relative_to(folder).as_posix()
        if not text.is_file():
            raise InputError(f"{text}: no such file; {name} needs its caption there, or remove it")
        captions = [line for line in _lines(_text(text)) if line.strip()]
        rows.append(_Row(name, captions or [""], None, str(text)))
    return rows


def _text(path):
    check_readable(path)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; a folder data set needs it") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None


def _lines(text):
    """The lines of a text; no other character than these ends one within a caption."""
    return re.split(r"\r\n|\n|\r", text)


def _rows(source, text, columns):
    """Rows of a table with a heading, or of Flickr8k's tokens: (rows, as what they were read)."""
    lines = [(number, line) for number, line in enumerate(_lines(text), start=1) if line.strip()]
    if not lines:
        raise InputError(f"{source}: not a readable CSV file (it is empty)")
    if TOKEN.fullmatch(lines[0][1]) and not columns:
        return [
            _token(line, f"{source}, line {number}") for number, line in lines
        ], "IMAGE#NUMBER, tab, caption"
    separator, names, image, caption = _heading(source, lines[0][1], columns)
    rows = []
    for number, line in lines[1:]:
        where = f"{source}, line {number}"
        cells = _cells(line, separator, where)
        if len(cells) != len(names):
            raise InputError(
                f"{where}: {len(cells)} cells, but the heading has {len(names)}; a text with a comma in it needs quotes "
                "around it"
            )
        row = dict(zip(names, cells, strict=True))
        rows.append(_Row(row[image], [row[caption]], row.get("id"), where))
    return rows, f"columns {image}, {caption}, by {SEPARATORS[separator]}"


def _token(line, where):
    found = TOKEN.fullmatch(line)
    if not found:
        raise InputError(f"{where}: not of the form IMAGE#NUMBER, tab, caption; correct it")
    return _Row(found[1], [found[2]], None, where)


def _cells(line, separator, where):
    """The cells of a line. A quote closes on the line it opens on: captions have one line, and rows are never swallowed."""
    quoting = csv.QUOTE_NONE if separator == "|" else csv.QUOTE_MINIMAL
    try:
        return [
            cell.strip()
            for cell in next(csv.reader([line], delimiter=separator, quoting=quoting, strict=True))
        ]
    except csv.Error:
        raise InputError(
            f"{where}: a quote opens a cell and does not close it on this line; close it, or write it twice where it is "
            "part of a quoted text (a caption has one line)"
        ) from None


def _heading(source, line, columns):
    """(separator, names, image's, caption's) of a table's first line."""
    read = [(separator, _cells(line, separator, f"{source}, line 1")) for separator in SEPARATORS]
    read = [(separator, names, *_two_of(source, names, columns)) for separator, names in read]
    separator, names, image, caption = next(
        (found for found in read if None not in found), max(read, key=lambda found: len(found[1]))
    )
    if image is None or caption is None:
        wanted = (columns or f"{IMAGE_HEADINGS[0]} {CAPTION_HEADINGS[0]}").split()
        raise InputError(
            f"{source}: column `{wanted[image is not None]}` is missing; found: {', '.join(names)}; rename it, or name the "
            "two in `columns` of the data set table"
        )
    twice = [name for name in (image, caption, "id") if names.count(name) > 1]
    if twice:
        raise InputError(f"{source}: column `{twice[0]}` stands twice; remove one")
    return separator, names, image, caption


def _two_of(source, names, columns):
    """Which of the names is the image's, and which the caption's; None for one that is not there."""
    if columns:
        return tuple(name if name in names else None for name in columns.split())
    chosen = []
    for known in (IMAGE_HEADINGS, CAPTION_HEADINGS):
        found = [name for name in names if name.lower() in known]
        own = [name for name in found if name.lower() == known[0]]
        if len(found) > 1 and not own:
            raise InputError(
                f"{source}: columns {', '.join(found)}: name the image's and the caption's in `columns` of the data set table"
            )
        chosen.append((own or found or [None])[0])
    return tuple(chosen)


def _json_lines(source, text, columns):
    """Rows of JSON lines, a mapping each, whose caption may be a list of them: (rows, as what they were read)."""
    rows, found = [], None
    for number, line in enumerate(_lines(text), start=1):
        if not line.strip():
            continue
        where = f"{source}, line {number}"
        try:
            row = json.loads(line)
            found = found or _two_of(source, list(row), columns)
            image, captions = (row[name] for name in found)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            names = columns or "an image (file_name) and its text (text)"
            raise InputError(f"{where}: not a JSON mapping with {names}; correct it") from None
        captions = captions if isinstance(captions, list) else [captions]
        rows.append(
            _Row(str(image), [_written(caption) for caption in captions] or [""], row.get("id"), where)
        )
    return rows, f"keys {', '.join(found)}" if found else ""


def _written(caption):
    return "" if caption is None else " ".join(str(caption).split("\n"))


def _coco(source, text):
    """Rows of COCO's captions: images by their numbers, and annotations that name these."""
    try:
        known = json.loads(text)
        names = {image["id"]: str(image["file_name"]) for image in known["images"]}
        said = {number: [] for number in names}
        for annotation in known["annotations"]:
            if annotation["image_id"] not in said:
                raise InputError(
                    f"{source}: an annotation is of image {annotation['image_id']}, which is not among its images"
                )
            said[annotation["image_id"]].append(_written(annotation["caption"]))
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{source}: not COCO's captions ({error!r}): images with id and file_name, annotations with image_id and caption "
            "are needed"
        ) from None
    return [
        _Row(names[number], captions or [""], None, f"{source}, image {number}")
        for number, captions in said.items()
    ]


def _items(rows):
    """The rows of each image as one item, with an id that was given or is made; each row is checked."""
    captions, first = {}, {}
    for row in rows:
        if not all(caption.strip() for caption in row.captions):
            raise InputError(f"{row.where}: the caption is empty")
        if row.id is not None and not re.fullmatch(r"[\w.-]+", str(row.id)):
            raise InputError(f"{row.where}: id `{row.id}` may have letters, digits, `_`, `.` and `-` only")
        if not row.image.strip():
            raise InputError(f"{row.where}: the image is not named")
        path = PurePosixPath(row.image.strip())
        if path.is_absolute() or ".." in path.parts:
            raise InputError(f"{row.where}: image `{row.image}` must lie within the data set's folder")
        captions.setdefault(str(path), []).extend(caption.strip() for caption in row.captions)
        first.setdefault(str(path), row)
    given = {image: str(row.id) for image, row in first.items() if row.id is not None}
    taken = {}
    for image, name in given.items():
        if taken.setdefault(name, image) != image:
            raise InputError(f"{first[image].where}: id `{name}` stands twice; ids must be unique")
    ids = given if len(given) == len(first) else make_ids(captions)
    return [Item(image, texts, ids[image], first[image].where) for image, texts in captions.items()]


def make_ids(images):
    """An id for each path of an image: path -> id, each safe as a file's name.

    It is the path without its ending, with `_` for what is no letter, digit, `_`, `.` or `-`. Where two would have the same, and
    where it would be too long, the path's digest follows. So an id does not depend on the order of the images, and on others
    only where they clash.
    """
    ids = {image: _plain(image) for image in images}
    while True:
        groups = {}
        for image, name in ids.items():
            groups.setdefault(name.casefold(), []).append(image)  # some file systems know no case
        clashing = [image for group in groups.values() if len(group) > 1 for image in group]
        if not clashing:
            return ids
        ids |= {image: f"{ids[image][:LONGEST_ID]}-{_digest(image)}" for image in clashing}


def _plain(image):
    stem = unicodedata.normalize("NFC", os.path.splitext(image)[0])  # noqa: PTH122, of 100,000 images
    name = re.sub(r"[^\w.-]+", "_", stem).lstrip(".-")
    return name if 0 < len(name) <= LONGEST_ID else f"{name[:LONGEST_ID]}-{_digest(image)}".lstrip("-")


def _digest(image):
    return hashlib.sha256(image.encode()).hexdigest()[:12]
