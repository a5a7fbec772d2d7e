"""Published numbers, each with its source."""

import numpy as np
import pandas as pd

from prh.alignment.catalogue import check_metric, parse_metric
from prh.errors import InputError, check_readable
from prh.performance.downstream import OF_CAPTIONS

# What the tables of config/published/ must have: benchmark scores, means over n, numbers to compare with. The first two tell a row.
BENCHMARKS = ["model", "measure", "shots", "value", "source"]
OVER_N = ["quantity", "n", "metric", "draws", "value", "source"]
NUMBERS = ["quantity", "model_x", "model_y", "metric", "value", "source"]
# Means over the pairs of two sets of models.
MEANS = ("mean score", "mean null", "mean calibrated score")
# What the authors' project page has: performance on another text, alignment with a vision model that it does not name.
ON_OPENWEBTEXT, WITH_UNNAMED = "1 - bits per byte (OpenWebText)", "score (vision model not stated)"
OF_PAIRS = {
    "score",
    "score (concatenated)",
    "highest score",
    "language layer",
    "vision layer",
    *MEANS,
    WITH_UNNAMED,
}
OF_MODELS = {*OF_CAPTIONS, ON_OPENWEBTEXT}
# Metrics that are published only: the catalogue has no such entry.
ONLY_PUBLISHED = {"cknna_eq36": "CKNNA (follow-up, eq. 36)"}


def read_numbers(path):
    """A table of published numbers: quantity, model_x, model_y, metric (METRIC@K), value, source.

    Raises `InputError`, which names file and row, for a number without source, model or metric, for a quantity or metric that
    is not known, and for a second value of the same.
    """
    table = _read(path, NUMBERS)
    known = OF_PAIRS | OF_MODELS
    needed = table.quantity.isin(OF_PAIRS) | table.metric.notna()
    of_two = table.quantity.isin(OF_PAIRS - {WITH_UNNAMED})
    wrong = {
        f"unknown quantity; known: {', '.join(sorted(known))}": ~table.quantity.isin(known),
        "no model; name one, or set:NAME": table.model_x.isna() | (of_two & table.model_y.isna()),
        "no metric of the catalogue; give METRIC or METRIC@K": needed & ~table.metric.map(_is_metric),
        "second value of the same; keep one": table.duplicated(NUMBERS[:4]),
    }
    return _checked(path, table, NUMBERS, wrong)


def read_benchmarks(path):
    """A table of published benchmark scores: model, measure, shots, value in 0 ... 1, source.

    Raises `InputError`, which names file and row, for a score without its shots or source, a value outside 0 ... 1, or a second
    value of one model and measure: which of several holds is for the table to say, not for the figure.
    """
    table = _read(path, BENCHMARKS)
    shots = pd.to_numeric(table.shots, errors="coerce")
    wrong = {
        "no number of shots; say how many the source states": shots % 1 != 0,
        "value outside 0 ... 1; enter percentages as fractions": ~table.value.between(0, 1),
        "second value of this model and measure; keep one": table.duplicated(BENCHMARKS[:2]),
    }
    return _checked(path, table, BENCHMARKS, wrong).assign(shots=shots.astype("Int64"))


def read_over_n(path):
    """A table of published means at several numbers of items: quantity, n, metric, draws, value, source; with k as a column.

    Raises `InputError`, which names file and row, for a number without source, another metric than mutual k-NN, an n or a number of
    draws that is no whole number, and a second value of the same.
    """
    table = _read(path, OVER_N)
    counts = {name: pd.to_numeric(table[name], errors="coerce") for name in ("n", "draws")}
    wrong = {
        f"unknown quantity; known: {', '.join(MEANS)}": ~table.quantity.isin(MEANS),
        "its metric is no mutual_knn@K": ~table.metric.fillna("").str.fullmatch(r"mutual_knn@[1-9]\d*"),
        "n and draws must be whole numbers, at least 1": sum(
            (c % 1 != 0) | ~(c >= 1) for c in counts.values()
        )
        > 0,
        "second value of the same; keep one": table.duplicated(["quantity", "n", "metric", "source"]),
    }
    table = _checked(path, table, OVER_N, wrong).assign(**{name: c.astype(int) for name, c in counts.items()})
    return table.assign(k=[parse_metric(name)[1] for name in table.metric])


def _read(path, columns):
    """A table of `config/published/`: tab-separated, # opens a comment; every value is a number and has a source."""
    check_readable(path)
    try:
        table = pd.read_csv(path, sep="\t", comment="#", dtype=str)
        missing = [column for column in columns if column not in table]
        if missing:
            raise ValueError(f"column `{missing[0]}` is missing")
        if not isinstance(table.index, pd.RangeIndex):
            raise ValueError("its first row has more cells than its header")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a table of published numbers ({error}); correct it") from None
    values = table.value.map(_number)
    wrong = {
        "no source; say where the number comes from": table.source.fillna("").str.strip() == "",
        "its value is no number; correct it": ~np.isfinite(values),
    }
    return _checked(path, table, columns, wrong).assign(value=values)


def _checked(path, table, columns, wrong):
    """The table. wrong: rows (n,) with a fault, by what is said of it; the first of the first fault is named."""
    for what, rows in wrong.items():
        if rows.any():
            row = table[rows].iloc[0]
            raise InputError(f"{path}, row {row.name + 1} (`{row[columns[0]]}`, `{row[columns[1]]}`): {what}")
    return table


def _number(text):
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _is_metric(name):
    try:
        metric, k = parse_metric(name)
        return metric in ONLY_PUBLISHED or bool(check_metric(metric, k))
    except (ValueError, AttributeError):  # AttributeError: a missing cell
        return False
