"""A run published as a data-set repository of the hub: its crate, features by model, a card with figures, numbers and licences.

What a licence forbids is never published: features whose model or data set is under a licence that `licences` does not know as free
are left out, and said; named by their publisher, they are refused.
"""

import zipfile
from pathlib import Path
from typing import NamedTuple

from prh.errors import InputError
from prh.provenance import RECORDS, digest, file_digest, read_record, record_path
from prh.share.card import card
from prh.share.fetch import CRATE, FEATURES, REPOSITORY
from prh.share.licences import forbids, licences_of
from prh.share.upload import upload

PACKED = Path("results/crate.zip")
HEAVY = ("results/data/", "results/features/", "results/neighbors/")  # whose licences the crate does not ask


class Parcel(NamedTuple):
    """What is published of the run in `folder`, which has so many `artifacts`: `files` by their place, `left_out` as (what, why).

    licences: see `licences_of`. accepted: see `publish`.
    """

    folder: Path
    files: dict
    left_out: list
    artifacts: int
    licences: dict
    accepted: tuple


def publish(folder, to, features=(), accepted=(), private=False):
    """Publish the run in `folder` as the data-set repository `to`, ORGANISATION/NAME: (address, commit, `Parcel`).

    features: names of models whose features are published as well, or ("all",). accepted: names of models and data sets whose licence
    allows it, as their publisher says who has read it. private: make a new repository private.

    Raises
    ------
    InputError: no crate, one of another state of the run or with features, a model that is not there, a licence that forbids it, or
        what the hub says.

    """
    if not REPOSITORY.fullmatch(to) or "@" in to:
        raise InputError(f"{to}: name a repository of the hub, ORGANISATION/NAME")
    parcel = pack(folder, features, accepted)
    text = card(parcel, to, to)
    return *upload(to, parcel.files, text, private, owned=(f"{FEATURES}/", "figures/")), parcel


def pack(folder, features=(), accepted=()):
    """What `publish` would publish, a `Parcel`; it raises what that does before anything is sent."""
    folder = Path(folder)
    crate = folder / PACKED
    if not crate.is_file():
        raise InputError(f"{crate}: no such file; pack the run first: make crate")
    records = _records(folder)
    packed = records.get(PACKED.as_posix())
    if packed is None or file_digest(crate) != packed["outputs"][PACKED.as_posix()]["sha256"]:
        raise InputError(f"{crate}: not what its record says; pack the run again: make crate")
    changed = [
        n for n, sha in packed["inputs"].items() if (folder / n).is_file() and digest(folder / n) != sha
    ]
    if changed:
        raise InputError(f"{crate}: {changed[0]} has changed since; pack the run again: make crate")
    held = [name for name in zipfile.ZipFile(crate).namelist() if name.startswith(HEAVY)]
    if held:
        raise InputError(
            f"{crate}: holds {held[0]}; set `crate.features` to false and pack it again, publish features by their models' names"
        )
    files, left_out = _features(folder, records, features, accepted)
    files[CRATE] = crate
    pictures = sorted(folder.glob("figures/*.png"))
    files |= {f"figures/{path.name}": path for path in pictures}
    return Parcel(folder, files, left_out, len(records), licences_of(folder), tuple(accepted))


def _records(folder):
    """Records by their artifacts."""
    found = {}
    for path in sorted((folder / RECORDS).rglob("*.json")):
        record = read_record(path)
        found |= dict.fromkeys(record["outputs"], record)
    return found


def _features(folder, records, wanted, accepted):
    """({place in the repository: file}, [(what was left out, why)]) of features."""
    there = {}
    for name in records:
        parts = name.split("/")
        if parts[:2] == ["results", "features"] and len(parts) == 4 and (folder / name).is_file():
            there.setdefault(parts[3].removesuffix(".safetensors"), []).append(name)
    missing = [model for model in wanted if model not in there and model != "all"]
    if missing:
        raise InputError(
            f"no features of `{missing[0]}` are here; name some of {', '.join(sorted(there)) or 'none'}"
        )
    files, left_out, licences = {}, [], licences_of(folder)
    for model in sorted(there if "all" in wanted else set(wanted)):
        for name in there[model]:
            why = forbids(name, licences, accepted)
            if why and model in wanted:
                raise InputError(
                    f"{name} is not published: {why}; leave it out, or, if that allows it, say so: --accept NAME"
                )
            if why:
                left_out.append((name, why))
            elif digest(folder / name) != records[name]["outputs"][name]["sha256"]:
                raise InputError(f"{folder / name}: not what {record_path(name)} says; make it anew")
            else:
                files[f"{FEATURES}/{name.removeprefix('results/features/')}"] = folder / name
    return files, left_out
