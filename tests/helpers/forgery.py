"""Artifacts made false so that only their content can show it: digests and records all fit."""

import json

import pandas as pd

from prh.provenance import (
    MANIFEST,
    RECORDS,
    digest,
    read_manifest,
    read_record,
    seal,
    write_json,
    write_manifest,
)


def rewrite(path, data):
    """Write a file anew: the copy's are links to the originals."""
    path.unlink()
    path.write_bytes(data)


def forge(folder, name, change):
    """Alter an artifact and every record that speaks of it, as if it had been made so."""
    path = folder / name
    target = path.with_name("forged")
    change(path, target)
    if target.exists():
        path.unlink()
        target.rename(path)
    for place in (folder / RECORDS).rglob("*.json"):
        record = read_record(place)
        if name in record["outputs"]:
            size = path.stat().st_size if path.is_file() else record["outputs"][name]["bytes"]
            record["outputs"][name] = {"sha256": digest(path), "bytes": size}
        elif name in record["inputs"]:
            record["inputs"][name] = digest(path)
        else:
            continue
        place.unlink()
        write_json(place, seal(record))


def table(column, value, reader=pd.read_parquet, writer="to_parquet"):
    def change(path, target):
        found = reader(path)
        found.loc[0, column] = value(found[column])
        getattr(found, writer)(target, index=False)

    return change


def csv(column, value):
    return table(column, value, pd.read_csv, "to_csv")


def edited(change):
    """A change of what a JSON file holds."""

    def write(path, target):
        found = json.loads(path.read_text())
        change(found)
        write_json(target, found)

    return write


def manifest(**facts):
    """A change of a folder's manifest, in place."""

    def write(folder, _target):
        told = {**read_manifest(folder), **facts}
        rewrite(folder / MANIFEST, b"")
        del told["files"]
        write_manifest(folder, **told)

    return write
