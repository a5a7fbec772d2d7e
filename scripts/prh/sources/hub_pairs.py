"""Pairs of a data set on the hub, in Parquet files."""

import fnmatch
import math
import os
import re
from collections import Counter
from pathlib import Path

from pyarrow.parquet import ParquetFile

from prh.errors import InputError
from prh.sources.captions import choose
from prh.sources.datasets import write_dataset
from prh.sources.hub import fetch_or_mirror
from prh.sources.images import counted, store_image

MOST = 6  # names in a message
# -00000-of-00002, with a digest in old repositories, and a bare number, which may be a part's or a size.
PART, NUMBER = re.compile(r"[-_.]\d+-of-\d+(-[0-9a-f]{16})?$"), re.compile(r"[-_./](\d+)$")
SPLITS = {"train", "training", "validation", "valid", "val", "dev", "development", "test", "testing", "eval"}


def make(row, wheels, seed, folder):
    """Take image-caption pairs from the row's repository, or from its mirror; see `make_from_parquet`."""
    columns, taken = (row.columns or "image text").split(), {"captions": row.captions, "seed": seed}
    snapshot, files = _fetch_first(row, columns[1]) if row.take else _fetch(row)
    facts = {"repo": snapshot.repo, "commit": snapshot.commit, "checksums_verified": snapshot.verified}
    facts["first"] = bool(row.take)
    make_from_parquet(files, row.caption_index, row.size, folder, columns, **taken, **facts)


def _fetch(row, most=None, at=None):
    """(snapshot, files) of the row's repository, or of its mirror: all files that it chooses, or the first so many.

    at: a snapshot whose repository and commit are taken in place of the row's.
    """
    what, pattern = f"data set table, row `{row.name}`", row.files or "*"
    where = (at.repo, at.commit, None) if at else (row.repo, row.revision, row.mirror)

    def chosen(paths):
        return choose_files(paths, pattern, row.split)[:most]

    snapshot = fetch_or_mirror(*where, choose=chosen, kind="dataset", what=what)
    there = {
        path.relative_to(snapshot.folder).as_posix(): path for path in snapshot.folder.rglob("*.parquet")
    }
    return snapshot, [there[name] for name in chosen(there)]


def _fetch_first(row, caption):
    """The same, of no more files than the first `size` pairs with a caption are in, one commit for all."""
    most, snapshot = 1, None
    while True:
        snapshot, files = _fetch(row, most, snapshot)
        held = sum(_captioned(path, caption) for path in files)
        if held >= row.size or len(files) < most:
            return snapshot, files
        most += math.ceil((row.size - held) * len(files) / max(held, 1))  # as if further ones held as many


def _captioned(path, caption):
    """How many pairs of a Parquet file have a caption."""
    if caption not in ParquetFile(path).schema_arrow.names:
        return 0  # which is said when pairs are taken
    batches = ParquetFile(path).iter_batches(columns=[caption])
    return sum(any(_given(cell)) for batch in batches for cell in batch.column(0).to_pylist())


def _given(cell):
    """The texts of a cell, or class numbers, that are not blank."""
    return [
        text
        for text in (cell if isinstance(cell, list) else [cell])
        if text is not None and str(text).strip()
    ]


def choose_files(paths, pattern, split=None):
    """Of a repository's paths its Parquet files of a name and split, sorted; parts of one split are all taken.

    Raises `InputError`, which says what there is, for none, and for files of several splits or subsets.
    """
    subset = subsets_of(sorted(path for path in paths if path.endswith(".parquet")))
    found = [path for path in subset if fnmatch.fnmatch(path, pattern)]
    if split:
        found = [path for path in found if split in subset[path].split("/")]
    if not found:
        what = f"of the split `{split}`" if split else f"of the name `{pattern}`"
        there = _listed(sorted({name or path for path, name in subset.items()})) or "no Parquet files"
        raise InputError(
            f"no Parquet files {what}; correct `{'split' if split else 'files'}` in the data set table; there are: {there}"
        )
    several = sorted({subset[path] for path in found})
    if len(several) > 1:
        common = f"{os.path.commonpath(several)}/".lstrip("/")
        names = [(name.removeprefix(common) or name) if name else "others" for name in several]
        raise InputError(
            f"splits {_listed(names)}: name one in `files` of the data set table, as in {several[-1]}*, or in `split`"
        )
    return found


def subsets_of(paths):
    """What each Parquet file is a part of: its path without the number of the part; "" where nothing tells.

    data/train-00000-of-00002.parquet is of data/train, wit_1024/train/0000.parquet of wit_1024/train. Numbers are of parts if
    they have leading zeros or count from 0 or 1: wit_512.parquet and wit_1024.parquet are two subsets. A file without a number
    is a split where a word of its name is one, as in val.parquet or train_small.parquet.
    """
    stems = {path: path.removesuffix(".parquet") for path in paths}
    bare = {path: PART.sub("", stem) for path, stem in stems.items()}
    numbers = {}
    for path, stem in stems.items():
        if bare[path] == stem and (found := NUMBER.search(stem)):
            numbers.setdefault(stem[: found.start()], {})[path] = found[1]
    for name, group in numbers.items():
        counted = sorted(map(int, group.values()))
        padded = any(len(digits) > 1 and digits[0] == "0" for digits in group.values())
        if padded or counted in (list(range(len(counted))), list(range(1, len(counted) + 1))):
            bare |= dict.fromkeys(group, name)
    numbered = {path for group in numbers.values() for path in group}
    return {
        path: bare[path]
        if path in numbered or bare[path] != stem or SPLITS & {*re.split(r"[^a-z]+", stem.lower())}
        else ""
        for path, stem in stems.items()
    }


def _listed(names):
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def make_from_parquet(
    files,
    caption_index,
    size,
    folder,
    columns=("image", "text"),
    captions=None,
    seed=0,
    first=False,
    **facts,
):
    """Take image-caption pairs from Parquet files.

    columns: of the image (its bytes), and of the text: a list of texts, one text, or the number of a class.
    caption_index: which of a list is the caption; None: what `captions` says, see `prh.sources.captions.choose`.
    size: so many pairs there must be; None takes what there is. first: the first so many that have a caption are taken, and the
    manifest counts those passed over.

    Raises
    ------
    InputError: another number of pairs, a missing column, an empty text, or none at `caption_index`, an image that cannot be read.

    """
    image, caption = columns
    (Path(folder) / "images").mkdir(parents=True)
    rows, texts_of, done, passed_over = [], [], Counter(), 0
    for path, pair in _pairs(files, image, caption):
        number = len(rows)
        if first and number == size:
            break
        if first and not _given(pair[caption]):
            passed_over += 1
            continue
        texts_of.append(_texts(pair[caption], caption_index, f"{path.name}: pair {number}"))
        called = f"{path.name}, image {number}"
        name = store_image((pair[image] or {"bytes": None})["bytes"], folder, f"{number:05d}", done, called)
        rows.append((f"{number:05d}", name, path.name))
    if size is not None and len(rows) != size:
        raise InputError(f"the data set has {len(rows)} pairs, not {size}; correct `revision` or `size`")
    where = ", ".join(path.name for path in files[:MOST])
    one, everything, taken = choose(texts_of, [name for name, _, _ in rows], captions, seed, where)
    if taken.get("captions") == "drawn":
        taken["seed"] = seed
    rows = [(name, path, text, source) for (name, path, source), text in zip(rows, one, strict=True)]
    taken["images"] = counted(done)
    if first:
        taken["passed_over"] = passed_over
    write_dataset(folder, rows, everything, kind="hub", **taken, **facts)


def _pairs(files, image, caption):
    """(file, pair) of all pairs in order; a pair is a mapping of these two columns. Raises `InputError` where one is missing."""
    for path in files:
        known = ParquetFile(path).schema_arrow.names
        missing = {image, caption} - set(known)
        if missing:
            raise InputError(
                f"{path.name}: column `{min(missing)}` is missing; it has {', '.join(known)}: name two of them in the "
                "column `columns` of the data set table"
            )
        for batch in ParquetFile(path).iter_batches(64, columns=[image, caption]):
            yield from ((path, pair) for pair in batch.to_pylist())


def _texts(cell, index, where):
    """The texts of a cell, all of them or the one at an index."""
    texts = ["" if text is None else str(text) for text in (cell if isinstance(cell, list) else [cell])]
    if index is not None:
        texts = texts[index : index + 1]
    if not (texts and all(text.strip() for text in texts)):
        at = (
            f"no text at `caption_index` {index}"
            if index is not None
            else ("an empty text, or none; name one that all have in `caption_index` of the data set table")
        )
        raise InputError(f"{where} has {at}")
    return texts
