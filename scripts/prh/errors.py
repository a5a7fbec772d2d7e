"""The one exception that stands for bad input rather than a fault of the program."""

from contextlib import contextmanager


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
