"""The one exception that stands for bad input rather than a fault of the program."""

import os
from contextlib import contextmanager
from pathlib import Path


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


def check_folders():
    """Raise `InputError` if a folder that a run writes to may not be written to."""
    for folder in [Path(".snakemake"), Path("results"), Path("figures"), *sorted(Path("results").glob("*/"))]:
        check_writable(folder.absolute())
