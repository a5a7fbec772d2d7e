"""The final tidy tables: how they are put together, written and read."""

import math
from pathlib import Path

import pandas as pd
from scipy import stats

from prh.catalogue import metric_name
from prh.errors import InputError
from prh.published import DOWNSTREAM

PAIR = ["dataset", "metric", "k", "model_x", "model_y"]
ALIGNMENT = [
    *("dataset", "metric", "k", "model_x", "modality_x", "model_y", "modality_y", "layer_x", "layer_y"),
    *("score", "chance", "null_mean", "tau", "p_value", "q_value", "calibrated_score", "ci_low", "ci_high"),
]
PERFORMANCE = ["model", "corpus", "bytes", "tokens", "bits_per_byte"]
CORRELATION = [
    *("dataset", "metric", "k", "vision_model", "of", "method", "n"),
    *("correlation", "ci_low", "ci_high", "note"),
]
# The columns of the final tables, by name; and of the tiles that they are made from.
COLUMNS = {
    "alignment": ALIGNMENT,
    "performance": PERFORMANCE,
    "correlation": CORRELATION,
    "downstream": DOWNSTREAM,
}
SCORES = [*PAIR, "layer_x", "layer_y", "score", "n"]
NULLS = [*PAIR, "ci_low", "ci_high", "null_mean", "tau", "p_value", "calibrated_score"]


def write_table(table, path):
    """Write a DataFrame as CSV: no index, Unix line ends, floats as their shortest exact text."""
    table.to_csv(Path(path), index=False, lineterminator="\n")


def read_table(path):
    """Read a table that `write_table` wrote; k is an integer or missing.

    Raises `InputError` if it is damaged, cut off, or not the table of its name.
    """
    table = _read(_read_csv, path, COLUMNS.get(Path(path).stem, []))
    return table.astype({"k": "Int64"}) if "k" in table else table


def read_parts(paths, columns):
    """Several Parquet files with the same `columns` as one table."""
    return pd.concat([_read(pd.read_parquet, path, columns) for path in paths], ignore_index=True)


def _read_csv(path):
    with Path(path).open("rb") as file:
        file.seek(-1, 2)
        if file.read() != b"\n":
            raise ValueError("it ends within a line")
    return pd.read_csv(path)


def _read(reader, path, columns):
    try:
        table = reader(path)
        missing = [column for column in columns if column not in table]
        if missing:
            raise ValueError(f"column `{missing[0]}` is missing")
        if columns and list(table.columns) != columns:
            raise ValueError(f"its columns are {', '.join(table.columns)}, not {', '.join(columns)}")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); remove it to have it made again") from None
    return table


def best_layer_pairs(layers):
    """Of every layer pair's score, the best per model pair, metric and k; the first one where several are equal."""
    ordered = layers.sort_values("score", ascending=False, kind="stable")
    return ordered.drop_duplicates(PAIR).sort_index().reset_index(drop=True)


def read_best(paths):
    """`best_layer_pairs` of several Parquet files, read one by one: all layer pairs of a thousand models are too many."""
    return pd.concat(
        [best_layer_pairs(_read(pd.read_parquet, path, SCORES)) for path in paths], ignore_index=True
    )


def alignment_table(layers, calibrated, modality):
    """The table of alignments: best layer pairs, with chance, null, p, q, calibrated score and interval.

    layers: columns of PAIR, layer_x, layer_y, score, n. calibrated: columns of PAIR and those that calibration adds, or
    None. modality: by model. chance is k / (n - 1), for mutual k-NN only: no other metric has it in closed form.
    q_value is the Benjamini-Hochberg p over all calibrated pairs of a data set, metric and k.
    """
    table = best_layer_pairs(layers)
    for side in ("x", "y"):
        table[f"modality_{side}"] = table[f"model_{side}"].map(modality)
    is_mutual = table.metric == "mutual_knn"
    table.loc[is_mutual, "chance"] = (table.k / (table.n - 1))[is_mutual].astype(float)
    if calibrated is not None:
        groups = calibrated.groupby(["dataset", "metric", "k"], dropna=False)
        q_values = groups.p_value.transform(lambda p: stats.false_discovery_control(p))
        table = table.merge(calibrated.assign(q_value=q_values), how="left", on=PAIR)
    return table.reindex(columns=ALIGNMENT)


def named(table, dataset):
    """The rows of a data set, with METRIC@K in a column `name`."""
    table = table[table.dataset == dataset]
    pairs = zip(table.metric, table.k.astype("Float64").to_numpy(float, na_value=math.nan), strict=True)
    return table.assign(name=[metric_name(metric, k) for metric, k in pairs])


def across(alignment, dataset, performance=None):
    """The language-vision rows of a data set, `named`, with the language model's bits-per-byte where it has any."""
    rows = (alignment.modality_x == "language") & (alignment.modality_y == "vision")
    table = named(alignment[rows], dataset)
    if performance is None:
        return table
    return table.assign(bits_per_byte=table.model_x.map(performance.set_index("model").bits_per_byte))
