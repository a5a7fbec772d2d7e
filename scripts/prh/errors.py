"""The one exception that stands for bad input rather than a fault of the program."""

import os
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

NOT_YOURS = "may not be read by you; ask its owner for read permission"


class InputError(ValueError):
    """Bad input: one line that names the culprit (file, key, row, layer) and says what to do."""

    def __init__(self, message):
        super().__init__(" ".join(str(message).splitlines()))  # what libraries say may have several


@contextmanager
def about(culprit):
    """Put the name of a file or folder before what is said of bad input in this block."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{culprit}: {error}") from None


def check_writable(folder):
    """Raise `InputError` if a folder, or where it is not there yet the one that it would be made in, is read-only."""
    there = next(path for path in (Path(folder), *Path(folder).absolute().parents) if path.exists())
    if not os.access(there, os.W_OK):
        raise InputError(f"{there} is read-only; make it writable, or run elsewhere by --directory")


def check_readable(path):
    """Raise `InputError` if a file, or something in a folder, is there and may not be read."""
    path = Path(path)
    there = next(place for place in (path, *path.absolute().parents) if is_there(place))
    if there != path and there.is_dir() and not os.access(there, os.X_OK):
        raise InputError(f"{there}: {NOT_YOURS}")
    for place in chain([path], path.rglob("*")):
        if is_there(place) and not os.access(place, os.R_OK | os.X_OK * place.is_dir()):
            raise InputError(f"{place}: {NOT_YOURS}")


def is_there(path):
    """Whether there is something at a path that may be looked at."""
    return os.path.exists(path)  # noqa: PTH110, which raises nothing in a folder that may not be looked into


def damaged(path, reason, remedy="remove it to have it made again", format=None):
    """The `InputError` for what cannot be read because of what is in it; of what may not be read `check_readable` raises its own."""
    check_readable(path)
    said = f" as a {format} file" if format else ""
    return InputError(f"{path}: cannot be read{said} ({reason}); {remedy}")


def check_folders(clone):
    """Raise `InputError` if a folder that a run writes to may not be written to, and for a name that Snakemake cannot have."""
    if {"{", "}"} & set(str(clone)):
        raise InputError(
            f"{clone}: Snakemake takes braces in the clone's path for wildcards; move the clone to a folder without"
        )
    for folder in [Path(".snakemake"), Path("results"), Path("figures"), *sorted(Path("results").glob("*/"))]:
        check_writable(folder.absolute())
