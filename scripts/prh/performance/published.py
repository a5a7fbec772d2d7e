"""Published numbers, each with its source."""

import pandas as pd

from prh.errors import InputError

# What the tables of config/published/ must have: benchmark scores, and numbers to compare with.
BENCHMARKS = ["model", "measure", "shots", "value", "source"]
NUMBERS = ["quantity", "model_x", "model_y", "metric", "value", "source"]


def read_published(path, columns):
    """A table of `config/published/`: tab-separated, # opens a comment.

    Raises `InputError` for a missing column, a row without a source, a value that is no number.
    """
    try:
        table = pd.read_csv(path, sep="\t", comment="#")
        missing = [column for column in columns if column not in table]
        if missing:
            raise ValueError(f"column `{missing[0]}` is missing")
        table = table.astype({"value": float})
        table = table.astype({"shots": "Int64"}) if "shots" in table else table
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a table of published numbers ({error}); correct it") from None
    for number, source in enumerate(table.source, start=1):
        if not isinstance(source, str) or not source.strip():
            raise InputError(f"{path}, row {number}: no source; say where the number comes from")
    return table


def read_benchmarks(path):
    """A table of published benchmark scores: model, measure, shots, value in 0 ... 1, source.

    Raises `InputError` for a row without its shots or source, a value outside 0 ... 1, or a second value of one model and
    measure: which of several holds is for the table to say, not for the figure.
    """
    table = read_published(path, BENCHMARKS)
    wrong = {
        "no number of shots; say how many the source states": table.shots.isna(),
        "value outside 0 ... 1; enter percentages as fractions": ~table.value.between(0, 1),
        "second value of this model and measure; keep one": table.duplicated(["model", "measure"]),
    }
    for what, rows in wrong.items():
        if rows.any():
            row = table[rows].iloc[0]
            raise InputError(f"{path}, row {row.name + 1} (`{row.model}`, `{row.measure}`): {what}")
    return table
