"""Scores: of two matrices; small tables of them, as rules write them: of layer pairs, of captions, of benchmarks."""

import pandas as pd
import torch

from prh.alignment.metrics import layer_state, pair_scores

# Layer pairs of three models: what `best.alignment_table` takes.
LAYERS = pd.DataFrame(
    {
        "dataset": "d",
        "metric": ["mutual_knn"] * 6 + ["cka"] * 2,
        "k": pd.array([10] * 6 + [None] * 2, dtype="Int64"),
        "model_x": ["a"] * 4 + ["v"] * 2 + ["a"] * 2,
        "model_y": ["v"] * 4 + ["w"] * 2 + ["v"] * 2,
        "layer_x": [0, 0, 1, 1, 0, 1, 0, 1],
        "layer_y": [0, 1, 0, 1, 0, 0, 0, 0],
        "score": [0.1, 0.4, 0.4, 0.2, 0.6, 0.5, 0.3, 0.7],
        "n": 101,
    }
)
MODALITY = {"a": "language", "v": "vision", "w": "vision"}
# Three language models with their bits per byte, and what was measured of them.
LANGUAGE = {"small": 0.95, "middle": 0.93, "large": 0.92}


def captions():
    """Of each model, what `score_captions` writes."""
    keys = {"bits_per_byte": 1.5, "pooled_bits_per_byte": 1.4, "captions": 4, "longest_tokens": 9}
    return [{"model": model, **keys} for model in LANGUAGE]


def measured():
    """Of the small one, what `evaluate_downstream` writes."""
    score = {"task": "hellaswag", "shots": 10, "measure": "acc_norm,none", "value": 0.4, "stderr": 0.01}
    score |= {"documents": 5, "task_version": "1.0", "lm_eval": "0"}
    return [{"model": "small", "scores": [score]}]


def score_of(metric, x, y, k=None, mode="robust"):
    """A metric's value for two matrices as they are: neither clamped nor normalised."""
    return float(pair_scores(*(layer_state(metric, [torch.as_tensor(side)], k, mode) for side in (x, y))))
