"""The final tidy tables: their columns, how they are written and read."""

from pathlib import Path

import pandas as pd

from prh.errors import damaged

PAIR = ["dataset", "metric", "k", "model_x", "model_y"]
ALIGNMENT = [
    *("dataset", "metric", "k", "model_x", "modality_x", "model_y", "modality_y", "layer_x", "layer_y"),
    *("score", "chance", "null_mean", "tau", "p_value", "q_value", "calibrated_score", "ci_low", "ci_high"),
    "perceptual_score",
]
# What the layers of a model are like; at which distances two models agree.
LAYERS = ["dataset", "model", "layer", "name", "width", "norm", "mean_cosine", "dimension", "clamped"]
WINDOWS = [
    *("dataset", "model_x", "model_y", "layer_x", "layer_y", "low", "high"),
    *("score", "ci_low", "ci_high", "null_mean", "null_sd", "tau", "p_value", "calibrated_score"),
]
PERFORMANCE = ["model", "corpus", "bytes", "tokens", "bits_per_byte", "source"]
LIKELIHOODS = [
    *("corpus", "model_x", "model_y", "inputs", "labels"),
    *("d_logit", "ci_low", "ci_high", "d_llv", "t1", "t2"),
]
LIKELIHOODS_FORMAT = "prh-likelihoods-1"
CORRELATION = [
    *("dataset", "metric", "k", "vision_model", "of", "method", "n"),
    *("correlation", "ci_low", "ci_high", "note"),
]
FEWEST = 4  # models in a correlation: even a perfect order of three comes about by chance once in six times
DOWNSTREAM = ["model", "measure", "shots", "value", "stderr", "documents", "version", "source"]
# Figure 2: what probes give each item; scores on tasks; what each model solves; pairs of models; agreement over competence; the map.
PREDICTIONS = ["model", "task", "item", "part", "penalty", "label", "predicted"]
TRANSFER = [
    *("task", "model", "items", "classes", "score", "ci_low", "ci_high", "null_high", "of_best", "solved"),
]
COMPETENCE = [
    *("model", "tasks", "solved", "share", "share_low", "share_high", "share_null"),
    *("mean_score", "mean_low", "mean_high", "mean_null"),
]
VISION_PAIRS = [
    *("dataset", "metric", "k", "model_x", "model_y", "relation", "score", "chance"),
    *("ci_low", "ci_high", "null_mean", "tau", "p_value"),
]
CONVERGENCE = [
    *("quantity", "competence", "of", "low", "high", "models", "pairs"),
    *("value", "error", "ci_low", "ci_high"),
    *("null_mean", "null_low", "null_high", "p_value"),
]
LICENCES = ["kind", "name", "licence"]
VISION_PLACES = ["model", "x", "y", "agreement", "agreement_null"]
DENSITY = [
    *("dataset", "level", "words", "language", "vision", "layer_x", "layer_y", "score", "chance"),
    *("ci_low", "ci_high", "null_mean", "tau", "p_value", "step", "step_low", "step_high"),
]
COLOUR = [
    *("space", "of", "n", "stress", "rho", "rho_low", "rho_high", "rho_null95", "rho_p"),
    *("r2", "r2_low", "r2_high", "r2_null95", "r2_p", "r2_fits_low", "r2_fits_high"),
]
GAP = [
    *("dataset", "model", "n", "captions_cut", "shift", "gap", "gap_low", "gap_high"),
    *("cosine_images", "cosine_texts", "cosine_matched", "cosine_unmatched", "loss"),
    *("image_to_text", "image_to_text_low", "image_to_text_high"),
    *("text_to_image", "text_to_image_low", "text_to_image_high", "mutual_knn"),
]
# Alignment as items are added; the rules in its column of that name.
FIXED, SHARE = "k fixed", "k a share of n"
OVER_N = [
    *("dataset", "model_x", "model_y", "rule", "n", "draw", "k", "layer_x", "layer_y"),
    *("score", "ci_low", "ci_high", "chance", "null_mean", "tau", "p_value"),
    *("calibrated_score", "fixed_layers_score"),
]
COLOUR_PLACES = ["space", "of", "colour", "true_l", "true_a", "true_b", "l", "a", "b"]
MEAN = "mean"  # in the column of vision models: over the trained ones
# The columns of the final tables, by name; and of the tiles that they are made from.
COLUMNS = {
    "alignment": ALIGNMENT,
    "layers": LAYERS,
    "distance_windows": WINDOWS,
    "performance": PERFORMANCE,
    "correlation": CORRELATION,
    "likelihood_distances": LIKELIHOODS,
    "downstream": DOWNSTREAM,
    "transfer": TRANSFER,
    "competence": COMPETENCE,
    "vision_pairs": VISION_PAIRS,
    "convergence": CONVERGENCE,
    "vision_places": VISION_PLACES,
    "caption_density": DENSITY,
    "colours": COLOUR,
    "modality_gap": GAP,
    "alignment_over_n": OVER_N,
    "licences": LICENCES,
}
SCORES = [*PAIR, "layer_x", "layer_y", "score", "n"]
DISTANCE = "distance"  # only in the tiles of rtd_lite: the distance that the score is made of
ERROR = "error"  # only in the tiles of ranks by blocks: by how much a score is off at most
NULLS = [*PAIR, "ci_low", "ci_high", "null_mean", "tau", "p_value", "calibrated_score"]


def write_table(table, path):
    """Write a DataFrame as CSV: no index, Unix line ends, floats as their shortest exact text."""
    table.to_csv(Path(path), index=False, lineterminator="\n")


def read_table(path):
    """Read a table that `write_table` wrote; k is an integer or missing.

    Raises `InputError` if it is damaged, cut off, or not the table of its name.
    """
    # A figure's numbers are its own, though it may have the name of a table.
    of_figure = "figures" in Path(path).parts[-3:-1]
    table = _read(_read_csv, path, [] if of_figure else COLUMNS.get(Path(path).stem, []))
    return table.astype({"k": "Int64"}) if "k" in table else table


def read_parts(paths, columns):
    """Several Parquet files with the same `columns`, and perhaps DISTANCE or ERROR, which are left out, as one table."""
    return pd.concat([_read(_read_parquet, path, columns) for path in paths], ignore_index=True)


def _read_parquet(path):
    return pd.read_parquet(path).drop(columns=[DISTANCE, ERROR], errors="ignore")


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
        raise damaged(path, error) from None
    return table
