"""Files of features that others made, which are no run: checked by a list of digests, put into one folder, for rows of type features."""

import os
import shutil
from pathlib import Path

from prh.errors import InputError
from prh.kept import read_imported
from prh.provenance import file_digest
from prh.share.fetch import FILES, LIST
from prh.share.imports import note
from prh.share.official import OFFICIAL, official

PLACES = {True: Path("data/official"), False: Path("data/features")}


def take(source, folder, origin, pin, base):
    """Put the feature files of `source`, a file or a folder, into `folder`: (paths there, whether they are the authors').

    Digests are checked against the authors' list for files of their names, and against SHA256SUMS where the folder has one. Files are
    linked where the file system can, else copied. base: the workflow's folder.
    Raises `InputError` for a file with another digest, one that a list names and that is not there, another one in its place.
    """
    source, folder = Path(source), Path(folder)
    read_imported(folder)  # before anything is written: it can be read
    files = [source] if source.is_file() else sorted(p for p in source.iterdir() if p.suffix.lower() in FILES)
    if not files:
        raise InputError(f"{source}: has no file of features ({', '.join(FILES)})")
    theirs = {name: facts["sha256"] for name, facts in official(Path(base) / OFFICIAL).items()}
    listed = _listed(source / LIST) if source.is_dir() else {}
    missing = sorted({*listed} - {path.name for path in source.iterdir()}) if listed else []
    if missing:
        raise InputError(f"{source / LIST}: names {missing[0]}, which is not there; get it again")
    digests = {path: file_digest(path) for path in files}
    for path, found in digests.items():
        said, by = (listed, LIST) if path.name in listed else (theirs, OFFICIAL)
        if path.name in said and said[path.name] != found:
            raise InputError(f"{path}: its SHA-256 is {found}, {by} says {said[path.name]}; get it again")
    are_theirs = all(path.name in theirs for path in files)
    place = PLACES[are_theirs]
    for path, found in digests.items():
        target = folder / place / path.name
        if target.exists() and file_digest(target) != found:
            raise InputError(f"{target}: another one is there already; remove it first")
    for path in files:
        _link(path, folder / place / path.name)
    taken = {(place / path.name).as_posix(): found for path, found in digests.items()}
    checked = "the authors' list" if are_theirs else LIST if {p.name for p in files} <= {*listed} else ""
    note(
        folder,
        {
            "from": origin,
            "pin": pin or (f"digests of {checked}" if checked else ""),
            "artifacts": taken,
            "records": {},
            "licences": [],
        },
    )
    return list(taken), are_theirs


def _listed(path):
    """Digests by name, of a list as sha256sum writes it."""
    if not path.is_file():
        return {}
    pairs = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if any(len(pair) != 2 or len(pair[0]) != 64 for pair in pairs):
        raise InputError(f"{path}: not a list as sha256sum writes it; correct it, or remove it")
    return {name.lstrip("*"): sha for sha, name in pairs}


def _link(path, target):
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".partial.{target.name}")
    partial.unlink(missing_ok=True)
    try:
        os.link(path.resolve(), partial)
    except OSError:
        shutil.copyfile(path, partial)
    partial.replace(target)
