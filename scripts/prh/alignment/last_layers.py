"""Agreement of many models by one layer each, all pairs at once, with intervals and nulls."""

import itertools

import numpy as np
import pandas as pd
import torch

from prh.alignment.calibration import one_layer, permutations, resampled, summarise
from prh.alignment.metrics import layer_state, pair_scores, permuted_scores, sample_scores
from prh.alignment.neighbors import index_layers
from prh.alignment.preprocess import prepared
from prh.errors import about

METRIC = "mutual_knn"
COLUMNS = ["model_x", "model_y", "score", "ci_low", "ci_high", "null_mean", "tau", "p_value"]


def all_pairs(layers, k, clamp, resamples, confidence, count, alpha, seed, device="cpu"):
    """Mutual k-NN of every pair of models: a DataFrame with the columns `COLUMNS`, pairs in the models' order.

    layers: raw features (n, d) by model. Each model is clamped and normalised by itself. Intervals: items drawn anew, neighbours held
    fixed. Nulls: `count` permutations of one model's items.
    Raises `InputError`, naming the model, for features that have no neighbours.
    """
    ids, names = [], list(layers)
    for model, values in layers.items():
        with about(model):
            ids.append(index_layers(prepared([values], clamp, device=device), k))
    state = layer_state(METRIC, torch.cat(ids), k)
    scores, orders = pair_scores(state, state).numpy(), permutations(state.n, count, seed)
    found = summarise(scores, permuted_scores(state, state, orders).numpy(), alpha, 1.0)
    pairs = list(itertools.combinations(range(len(layers)), 2))
    single = [one_layer(state, i) for i in range(len(layers))]
    of_items = np.stack([sample_scores(single[i], single[j]).cpu().numpy() for i, j in pairs])
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled(of_items, resamples, seed), [tail, 1 - tail], axis=1)
    table = pd.DataFrame({"model_x": [names[i] for i, _ in pairs], "model_y": [names[j] for _, j in pairs]})
    x, y = np.transpose(pairs)
    table["score"], table["ci_low"], table["ci_high"] = scores[x, y], low, high
    for column in COLUMNS[5:]:
        table[column] = found[column][x, y]
    return table
