"""What lies outside of a run and goes into it: files of its user's, known by their content, so that an edit of one is seen.

A file whose size and time are those of the last look is not read again: what was found then stands in `SEEN`.
"""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from prh.errors import InputError
from prh.provenance import file_digest, write_texts
from prh.sources.captions import find_images, read_table
from prh.sources.model_files import local_files

SEEN = Path(".snakemake/prh_digests.json")


class Outside(NamedTuple):
    """Files below a folder, by their sorted names relative to it."""

    folder: Path
    names: list


def files_of_dataset(row, read=read_table):
    """The files that a data set with a `path` is made of: its table and the images in it; of other sources all below the path.

    read: as `captions.read_table`, which may have been read already. Raises `InputError` for what is wrong with the table.
    """
    if row.source != "folder":
        folder = Path(row.path).expanduser()
        return Outside(folder, sorted(_below(folder)))
    table = read(row.path, getattr(row, "columns", None))
    paths = [path for path in find_images(table)[1].values() if path]
    if table.source.is_dir():
        paths += [path.with_suffix(".txt") for path in paths]
    else:
        paths.append(table.source)
    folder = table.images if table.source.is_relative_to(table.images) else table.source.parent
    return Outside(folder, sorted(os.path.relpath(path, folder) for path in paths))


def files_of_model(row):
    """The files that a model with a `path` is made of. Raises `InputError` as `model_files.local_files` does."""
    found = local_files(row.path)
    return Outside(found.folder, sorted(found.names))


def _below(folder):
    """Names of the files below a folder, hidden ones left out."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.relpath(Path(parent, name), folder) for name in files if not name.startswith("."))


def digests(outside, seen=SEEN):
    """SHA-256 of each of the files, by its path. Raises `InputError` for one that cannot be read."""
    known, real = _read(seen), outside.folder.resolve()
    states = {os.path.join(real, name): None for name in outside.names}  # noqa: PTH118, of 100,000 names
    for path in states:
        states[path] = _state(path)
    new = [path for path, state in states.items() if known.get(path, [None, None])[:2] != state]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, sha in zip(new, pool.map(_digest, new), strict=True):
            known[path] = [*states[path], sha]
    if new:
        with suppress(OSError):  # of a folder that may not be written to: read again next time
            write_texts(seen.parent, {seen.name: json.dumps(known, separators=(",", ":"))})
    return dict(zip(_paths(outside), (known[path][2] for path in states), strict=True))


def fingerprint(outside, found):
    """What pins these files: a digest over their names and contents, as `digests` found them."""
    lines = [f"{found[path]}  {name}\n" for path, name in zip(_paths(outside), outside.names, strict=True)]
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def _paths(outside):
    """The files as messages and records name them."""
    return [os.path.normpath(os.path.join(outside.folder, name)) for name in outside.names]  # noqa: PTH118


def read_as_planned(row, files_of):
    """Digests of the files of a row with a `path`, by path, for the job's record; nothing for other rows.

    Raises `InputError` if they are not those that were there when the run was planned, where the row's revision says which.
    """
    if not getattr(row, "path", None):
        return {}
    files = files_of(row)
    found = digests(files)
    now, planned = fingerprint(files, found), getattr(row, "revision", "")
    if planned and planned != now:
        raise InputError(f"{row.path}: its files have changed since the run began; run it again")
    return found


def _state(path):
    try:
        found = os.stat(path)  # noqa: PTH116, of 100,000 files
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return [found.st_size, found.st_mtime_ns]


def _digest(path):
    try:
        return file_digest(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); let it be read, or leave it out"
        ) from None


def _read(seen):
    try:
        found = json.loads(seen.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
