"""The best layer pair of every pair of models, as one table; rows of it as others take them."""

import math

import pandas as pd
from scipy import stats

from prh.alignment.catalogue import metric_name
from prh.tables import ALIGNMENT, PAIR, SCORES, read_parts


def best_layer_pairs(layers):
    """Of every layer pair's score, the best per model pair, metric and k; the first one where several are equal."""
    ordered = layers.sort_values("score", ascending=False, kind="stable")
    return ordered.drop_duplicates(PAIR).sort_index().reset_index(drop=True)


def read_best(paths):
    """`best_layer_pairs` of several Parquet files, read one by one: all layer pairs of a thousand models are too many."""
    return pd.concat([best_layer_pairs(read_parts([path], SCORES)) for path in paths], ignore_index=True)


def alignment_table(layers, calibrated, modality):
    """The table of alignments: best layer pairs, with chance, null, p, q, calibrated score and interval.

    layers: columns of PAIR, layer_x, layer_y, score, n. calibrated: columns of PAIR and those that calibration adds, or
    None. modality: by model. chance is k / (n - 1), for mutual k-NN only: no other metric has it in closed form.
    q_value is the Benjamini-Hochberg p over all calibrated pairs of a data set, metric and k. perceptual_score is
    (score - null mean) / score, by the analogy with Gat et al. 2021 (arXiv:2110.14375): the share of the score that is lost
    when one side's items are permuted.
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
        table["perceptual_score"] = ((table.score - table.null_mean) / table.score).where(table.score > 0)
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
