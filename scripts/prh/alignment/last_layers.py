"""Agreement of many models by one layer each, all pairs at once, with intervals and nulls."""

import itertools

import pandas as pd
import torch

from prh.alignment.calibration import bootstrap_interval, permutations, summarise
from prh.alignment.metrics import layer_state, pair_scores, permuted_scores
from prh.alignment.neighbors import index_layers
from prh.alignment.preprocess import prepare
from prh.errors import about

METRIC = "mutual_knn"
COLUMNS = ["model_x", "model_y", "score", "ci_low", "ci_high", "null_mean", "tau", "p_value"]


def all_pairs(layers, k, clamp, resamples, confidence, count, alpha, seed, device="cpu"):
    """Mutual k-NN of every pair of models: a DataFrame with the columns `COLUMNS`, pairs in the models' order.

    layers: raw features (n, d) by model. Each model is clamped and normalised by itself. Intervals: items drawn anew, neighbours held
    fixed. Nulls: `count` permutations of one model's items.
    Raises `InputError`, naming the model, for features that have no neighbours.
    """
    ids = []
    for model, values in layers.items():
        with about(model):
            ids.append(index_layers(prepare([values], clamp, device=device), k))
    state = layer_state(METRIC, torch.cat(ids), k)
    scores, orders = pair_scores(state, state).numpy(), permutations(state.n, count, seed)
    found = summarise(scores, permuted_scores(state, state, orders).numpy(), alpha, 1.0)
    rows, names = [], list(layers)
    for i, j in itertools.combinations(range(len(names)), 2):
        interval = bootstrap_interval(state, state, i, j, resamples, confidence, seed)
        null = (found[column][i, j] for column in ("null_mean", "tau", "p_value"))
        rows.append((names[i], names[j], scores[i, j], *interval, *null))
    return pd.DataFrame(rows, columns=COLUMNS)
