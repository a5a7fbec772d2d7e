"""Geo-topological RSA over windows of distances: at which distances two layers agree (Lin and Kriegeskorte 2023, arXiv:2309.11028)."""

import itertools

import numpy as np
import torch

from prh.alignment.calibration import bootstrap_interval, permutations, summarise
from prh.alignment.kernels import Kernels, clipped, make_kernels, pair_cells
from prh.alignment.metrics import LayerState, pair_scores, permuted_scores
from prh.errors import InputError


def windows_of(edges):
    """The windows between quantiles of distances, in order: [(low, high), ...]."""
    return list(itertools.pairwise(edges))


def window_state(layer, windows):
    """One prepared layer (n, d) as a state with a "layer" for each window: its ranks, once, clipped to each.

    Raises InputError above the samples of which n x n matrices are kept, and where all distances are equal.
    """
    ranks = make_kernels([layer], "ranks")
    if not isinstance(ranks, Kernels):
        raise InputError(
            f"windows of distances keep n x n matrices, which {len(layer)} samples are too many for"
        )
    if not ranks.squares[0] > 0:
        raise InputError("windows of distances are not defined, all distances are equal; leave the layer out")
    n, cells = ranks.n, ranks.vectors[0].double()
    apart = pair_cells(n, cells.device)
    values, ordered = cells[apart], cells[apart].sort().values
    vectors = cells.new_zeros(len(windows), len(cells))
    for vector, (low, high) in zip(vectors, windows, strict=True):
        within = clipped(values, ordered, low, high)
        vector[apart] = within - within.mean()
    vectors /= torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    kernels = Kernels(n, vectors.float(), torch.ones(len(windows), dtype=torch.float64))
    return LayerState("trsa_0_1", "robust", None, n, len(windows), kernels)


def window_rows(x, y, edges, count, alpha, resamples, confidence, seed):
    """Rows (dicts) of two prepared layers (n, d_x), (n, d_y): low, high, score, interval, null, p and calibrated score of each window."""
    windows = windows_of(edges)
    one, other = (window_state(layer, windows) for layer in (x, y))
    scores = pair_scores(one, other).diagonal().numpy()
    null = permuted_scores(one, other, permutations(one.n, count, seed)).diagonal(dim1=1, dim2=2).numpy()
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
