"""Times of artifacts: Snakemake takes an input that is newer than an output for another one, though its content may be the same."""

import json
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from prh.provenance import RECORDS, digest

STAMP = ".snakemake_timestamp"  # Snakemake's own, in a folder that is an output
SLACK = 2  # seconds by which a file may be newer than its record says


def restore_times(folder=Path()):
    """Give artifacts that were touched or copied, and whose content is what their records say, the time at which they were made.

    Returns how many were looked at. What has another content keeps its new time, so that what was made from it is made anew.
    """
    made = dict(_made(folder))
    suspect = {path for path, (time, _) in made.items() if time_of(path) > time + SLACK}
    same = {path for path in suspect if digest(path) == made[path][1]}
    if same:
        for path in made.keys() - (suspect - same):
            set_time(path, made[path][0])
    return len(suspect)


def _made(folder):
    """(path, (time, digest)) of each artifact that is there and has a record, in whole seconds: so nothing is older than its input."""
    for record in sorted((folder / RECORDS).rglob("*.json")):
        try:
            found = json.loads(record.read_text(encoding="utf-8"))
            run = found["run"]
            time = int(datetime.fromisoformat(run["started"]).timestamp()) + int(run["seconds"])
            outputs = {folder / name: said["sha256"] for name, said in found["outputs"].items()}
        except (OSError, ValueError, KeyError, TypeError):
            continue  # the audit names it
        yield from ((path, (time, sha)) for path, sha in outputs.items() if path.exists())


def set_time(path, time):
    """Give an artifact a time, in seconds; one of somebody else, who lets it be read only, keeps its own."""
    with suppress(OSError):
        for place in (path / STAMP, path) if path.is_dir() else (path,):
            os.utime(place, (time, time))


def time_of(path):
    """The time of an artifact, as Snakemake takes it."""
    stamp = path / STAMP
    return (stamp if stamp.is_file() else path).stat().st_mtime
