"""Geo-topological RSA over windows of distances: at which distances two layers agree (Lin and Kriegeskorte 2023, arXiv:2309.11028)."""

import itertools

import numpy as np
import torch

from prh.alignment.calibration import bootstrap_interval, permutations, summarise
from prh.alignment.distances import of_distances
from prh.alignment.kernels import DENSE_LIMIT, Kernels, square_matrix
from prh.alignment.metrics import LayerState, pair_scores
from prh.errors import InputError


def windows_of(edges):
    """The windows between quantiles of distances, in order: [(low, high), ...]."""
    return list(itertools.pairwise(edges))


def window_state(layer, windows):
    """One prepared layer (n, d) as a state with a "layer" for each window: its ranks, once, clipped to each.

    Raises InputError above the samples of which n x n matrices are kept, and where all distances are equal.
    """
    if len(layer) > DENSE_LIMIT:
        raise InputError(
            f"windows of distances keep n x n matrices, which {len(layer)} samples are too many for"
        )
    found, _ = of_distances([layer], windows)
    vectors, squares = (torch.cat([getattr(one, part) for one in found]) for part in ("vectors", "squares"))
    if not (squares > 0).all():
        raise InputError("windows of distances are not defined, all distances are equal; leave the layer out")
    return LayerState(
        "trsa_0_1", "robust", None, len(layer), len(windows), Kernels(len(layer), vectors, squares)
    )


def window_rows(x, y, edges, count, alpha, resamples, confidence, seed):
    """Rows (dicts) of two prepared layers (n, d_x), (n, d_y): low, high, score, interval, null, p and calibrated score of each window."""
    windows = windows_of(edges)
    one, other = (window_state(layer, windows) for layer in (x, y))
    scores = pair_scores(one, other).diagonal().numpy()
    permuted = permutations(one.n, count, seed)
    null = np.stack([_null(one, other, number, permuted) for number in range(len(windows))], axis=1)
    found = summarise(scores, null, alpha)
    rows = []
    for number, (low, high) in enumerate(windows):
        ends = bootstrap_interval(one, other, number, number, resamples, confidence, seed)
        row = {"low": low, "high": high, "score": scores[number]} | dict(
            zip(("ci_low", "ci_high"), ends, strict=True)
        )
        row |= {name: float(values[number]) for name, values in found.items()}
        rows.append(row | {"null_sd": float(np.std(null[:, number], ddof=1))})
    return rows


def _null(x, y, number, permuted):
    """The scores of one window with y's samples permuted: (p,).

    Most pairs of samples lie beyond a window, and are clipped to one value. y's centred cells have no sum, so that value may be
    taken off all of x's, and only the pairs that are left are looked up.
    """
    a, b = (square_matrix(state.data, number).cpu().numpy() for state in (x, y))
    rows, columns = np.tril_indices(x.n, -1)
    values = a[rows, columns]
    values -= max(values.min(), values.max(), key=lambda end: (values == end).sum())
    left = values.nonzero()
    rows, columns, values = rows[left], columns[left], 2 * values[left]
    scores = []
    for labels in permuted.numpy():
        places = (labels * x.n).take(rows)
        places += labels.take(columns)
        scores.append(values @ b.take(places))
    return np.array(scores, dtype=float)
