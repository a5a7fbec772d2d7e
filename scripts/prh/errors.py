"""The one exception that stands for bad input rather than a fault of the program."""


class InputError(ValueError):
    """Bad input: one line that names the culprit (file, key, row, layer) and says what to do."""
