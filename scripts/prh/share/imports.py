"""A run, or features, of others to start from: checked by their digests, put where a run looks for them, and known by where they came from.

What was imported stays as it is (`prh.kept`), and is a pinned source in the audit: `results/imported.json` lists it.
"""

import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from prh.errors import InputError
from prh.kept import IMPORTED, read_imported
from prh.provenance import RECORDS, digest, file_digest, json_text, read_record, write_texts
from prh.share.licences import licences_of

# Parts of results/ that a run can start from. Figures, pages and crates it makes of them itself.
STARTS = (
    *("data", "features", "neighbors", "alignment", "calibration", "colour"),
    *("performance", "captions", "downstream", "tables"),
)
MADE_HERE = ("figures/", "results/report/", "results/crate.zip")


def start_from(source, folder, origin=None, pin="", features=None):
    """Put what a published run holds into `folder`: (names of what was taken, licences by kind and name).

    Parameters
    ----------
    source: a crate (ZIP file or unpacked), or any folder with `results/` and records. Digests are checked before anything is
        written; what is there already stays if it is the same.
    origin, pin: where it came from, and what pins that, for `results/imported.json`.
    features: a folder with further feature files, DATASET/MODEL.safetensors, or None.

    Records of what the source does not hold come along: they say what its artifacts were made from.

    Raises
    ------
    InputError: nothing to start from, a file whose digest is not its record's, another file in its place.

    """
    source, folder = Path(source), Path(folder)
    if source.is_file():
        with tempfile.TemporaryDirectory() as scratch:
            unzip(source, Path(scratch))
            pin = pin or f"sha256:{file_digest(source)}"
            try:
                return start_from(scratch, folder, origin or source, pin, features)
            except InputError as error:  # not the scratch folder's name
                raise InputError(str(error).replace(scratch, str(source))) from None
    read_imported(folder)  # before anything is written: it can be read
    records = {path.relative_to(source): path for path in sorted((source / RECORDS).rglob("*.json"))}
    found = {said: read_record(path) for said, path in records.items() if not _made_here(said)}
    places = {
        name: place
        for record in found.values()
        for name in record["outputs"]
        if (place := _place(name, source, features)) is not None
    }
    if not places:
        parts = ", ".join(f"results/{part}" for part in STARTS)
        raise InputError(f"{source}: holds no artifact with a record in {parts}; nothing to start from")
    facts = {name: facts for record in found.values() for name, facts in record["outputs"].items()}
    for name, place in places.items():
        if ".." in PurePosixPath(name).parts or not name.startswith("results/"):
            raise InputError(f"{source}: a record speaks of `{name}`, outside results/; do not use this run")
        if digest(place) != facts[name]["sha256"]:
            raise InputError(f"{place}: not what its record says; get it again")
        if (folder / name).exists() and digest(folder / name) != facts[name]["sha256"]:
            raise InputError(f"{folder / name}: another one is there already; remove it first")
    pairs = [(place, folder / name) for name, place in places.items() if not (folder / name).exists()]
    new = {target for _, target in pairs}
    taken = {  # a record that is there stays, but for one of what is not
        said: record
        for said, record in found.items()
        if not (folder / said).exists()
        or any(folder / name in new for name in record["outputs"])
        or not any((folder / name).exists() for name in record["outputs"])
    }
    copy([*pairs, *((records[said], folder / said) for said in taken)])
    licences = licences_of(source)
    note(
        folder,
        {
            "from": str(origin or source),
            "pin": pin or f"sha256:{_pin(facts[name]['sha256'] for name in places)}",
            "artifacts": {name: facts[name]["sha256"] for name in sorted(places)},
            "records": {
                said.as_posix(): record["run"]["sha256"]
                for said, record in found.items()
                if said in taken or (folder / said).read_bytes() == records[said].read_bytes()
            },
            "licences": [[*of, licence] for of, licence in licences.items()],
        },
    )
    return list(places), licences


def _made_here(said):
    return said.relative_to(RECORDS).as_posix().startswith(MADE_HERE)


def _place(name, source, features):
    """Where the source has an artifact to start from, or None."""
    parts = PurePosixPath(name).parts
    if len(parts) > 1 and parts[0] == "results" and parts[1] in STARTS and (source / name).exists():
        return source / name
    if features and parts[:2] == ("results", "features") and (Path(features) / Path(*parts[2:])).is_file():
        return Path(features) / Path(*parts[2:])
    return source / name if ".." in parts or parts[0] != "results" else None


def _pin(digests):
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def note(folder, source):
    """Add a source to `results/imported.json` of a folder, to what came from the same before."""
    path = Path(folder) / IMPORTED
    known = read_imported(folder)
    for other in [
        other for other in known if (other["from"], other["pin"]) == (source["from"], source["pin"])
    ]:
        known.remove(other)
        source |= {key: other[key] | source[key] for key in ("artifacts", "records")}
    write_texts(path.parent, {path.name: json_text({"imports": [*known, source]})})


def copy(pairs):
    """Copy files and folders (source, target), all of them or none."""
    moves = [(source, target.with_name(f".partial.{target.name}"), target) for source, target in pairs]
    try:
        for source, partial, _ in moves:
            partial.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, partial, copy_function=shutil.copyfile, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, partial)
    except BaseException:
        for _, partial, _ in moves:
            shutil.rmtree(partial) if partial.is_dir() else partial.unlink(missing_ok=True)
        raise
    for _, partial, target in moves:
        partial.replace(target)


def unzip(path, folder):
    """Unpack a crate. Raises `InputError` for one that is damaged, or would write outside its folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                    raise InputError(
                        f"{path}: member `{name}` would be written outside its folder; do not use it"
                    )
            archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise InputError(f"{path}: not a readable crate ({error})") from None
