"""Where something to import lies: a path, an https address, or a data-set repository of the hub; fetched to where it can be read."""

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urldefrag, urlsplit

from prh.errors import InputError
from prh.sources.download import download
from prh.sources.model_files import FEATURES as FILES

CRATE, FEATURES = "crate.zip", "features"  # of a repository that `publish` made
LIST = "SHA256SUMS"  # as sha256sum writes it
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(@[^\s@]+)?")
KEPT = Path(".snakemake/prh_import")  # what is not whole yet


class Fetched(NamedTuple):
    """Something to import, here: `crate` (ZIP file, or a folder with results/), or None; `features`, a folder of files or one file, or
    None; what pins both; under which licence its card has it, "" where nothing says so.
    """

    crate: Path | None
    features: Path | None
    pin: str
    licence: str = ""


def fetch(where, wanted=()):
    """Have `where` as `Fetched`: a path, https://..., ORGANISATION/NAME or ORGANISATION/NAME@REVISION.

    wanted: of a repository that has a crate, the names of models whose features come as well; ("all",) takes all. Of an address, too,
    beside its crate nothing is fetched.
    Raises `InputError` for what is not there, cannot be had, or has another digest than its address says.
    """
    if re.match(r"https?://", where):
        name = Path(urlsplit(where).path).name or "file"
        place = KEPT / name
        sha = download(where, place)
        alone = place.suffix.lower() in FILES
        return Fetched(None if alone else place, place if alone else None, f"sha256:{sha}")
    place = Path(where).expanduser()
    if place.exists():
        if place.is_file() and place.suffix.lower() not in FILES:
            return Fetched(place, None, "")
        is_run = (place / "results").is_dir() if place.is_dir() else False
        published = place / CRATE
        if published.is_file():
            return Fetched(published, place / FEATURES if wanted else None, "")
        holds = place.is_dir() and any(p.suffix.lower() in FILES for p in place.iterdir())
        alone = not is_run and (place.is_file() or holds)
        return Fetched(None if alone else place, place if alone else None, "")
    if REPOSITORY.fullmatch(where) and not where.endswith(".zip"):
        return _from_hub(where, wanted)
    raise InputError(
        f"{where}: no such file or folder, no address that begins with https://, no ORGANISATION/NAME of the hub; correct it"
    )


def origin(where):
    """What the list of imports calls it: the address without its digest, a repository with its hub's place."""
    return urldefrag(where).url if re.match(r"https?://", where) else where


def _from_hub(where, wanted):
    from prh.sources import hub  # its client takes a second to load

    repo, revision = hub.split(where)
    found = hub.fetch(repo, revision, lambda paths: _choose(where, paths, wanted), kind="dataset")
    has_crate = (found.folder / CRATE).is_file()
    features = found.folder / FEATURES if has_crate else _folder_of_features(found.folder)
    return Fetched(
        found.folder / CRATE if has_crate else None,
        features if wanted or not has_crate else None,
        f"commit:{found.commit}" + ("" if found.verified else ", checksums not compared with the hub's"),
        _licence(found.folder / "README.md"),
    )


def _licence(card):
    """What the head of a card says."""
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    said = re.search(r"\A---\n(?:.*\n)*?license: *(.+)\n", text.partition("\n---\n")[0] + "\n")
    return said[1].strip() if said else ""


def _choose(where, paths, wanted):
    """Of a repository's files those to import: crate and features that are wanted, or else all files of features."""
    if CRATE not in paths:
        found = [path for path in paths if Path(path).suffix.lower() in FILES or Path(path).name == LIST]
        if not found:
            raise InputError(f"{where}: has no {CRATE} and no file of features ({', '.join(FILES)})")
        return found
    features = {path: Path(path).stem for path in paths if path.startswith(f"{FEATURES}/")}
    missing = sorted({*wanted} - {"all"} - {*features.values()})
    if missing:
        there = ", ".join(sorted({*features.values()})) or "none"
        raise InputError(f"{where}: has no features of `{missing[0]}`; it has those of: {there}")
    return [CRATE, *(path for path, model in features.items() if "all" in wanted or model in wanted)]


def _folder_of_features(folder):
    """The one folder in which the files of features lie."""
    folders = sorted({path.parent for path in folder.rglob("*") if path.suffix.lower() in FILES})
    if len(folders) > 1:
        raise InputError(
            f"{folder}: files of features in {len(folders)} folders; import one of them by its path"
        )
    return folders[0]
