"""The final tidy tables: how they are put together, written and read."""

from pathlib import Path

import pandas as pd

ALIGNMENT = (
    *("dataset", "metric", "k", "model_x", "modality_x", "model_y", "modality_y"),
    *("layer_x", "layer_y", "score", "chance"),
)
PERFORMANCE = ("model", "corpus", "bytes", "tokens", "bits_per_byte")
CORRELATION = (
    "dataset",
    "metric",
    "k",
    "vision_model",
    "method",
    "n",
    "correlation",
    "ci_low",
    "ci_high",
    "note",
)


def write_table(table, path):
    """Write a DataFrame as CSV: no index, Unix line ends, floats as their shortest exact text."""
    table.to_csv(Path(path), index=False, lineterminator="\n")


def read_table(path):
    """Read a table that `write_table` wrote; k is an integer or missing."""
    table = pd.read_csv(path, keep_default_na=True, float_precision="round_trip")
    return table.astype({"k": "Int64"}) if "k" in table else table


def best_layer_pairs(layers):
    """Of every layer pair's score, the best per model pair, metric and k; the first one where several are equal."""
    keys = ["dataset", "metric", "k", "model_x", "model_y"]
    ordered = layers.sort_values("score", ascending=False, kind="stable")
    return ordered.drop_duplicates(keys).sort_index().reset_index(drop=True)
