"""RTD-Lite (Tulchinskii et al. 2025, arXiv:2503.11910): how much of two layers' minimum spanning trees is one tree.

A, B: the distances of all pairs of samples in either layer, divided by their 0.9-quantile over all n x n cells; W: the weight of a
minimum spanning tree. RTD-Lite is (W(A) + W(B)) / 2 - W(min(A, B)), a distance without an upper end. The score is 1 - RTD-Lite over
the mean weight of the two trees, W(min(A, B)) / ((W(A) + W(B)) / 2): in (0, 1], 1 where one tree serves both. That normalisation is
this project's. Raw distances must not be compared between layers: one whose samples hardly differ has a small tree, and wins.

An edge of A outside of A's own tree is the longest on a circle of A, so that min(A, B) does not need it, either: its tree is that of
the 2 (n - 1) edges of both trees. So a layer's tree is found once, and a permutation only renames the samples of one of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from scipy.sparse import csgraph
from torch import Tensor

from prh.alignment.neighbors import centre
from prh.errors import InputError

BLOCK = 2048  # rows of distances that are held at a time
BINS = 2**16  # of the distances, to find a quantile among them without holding all
TOGETHER = 64  # spanning trees that are found in one call, as parts of one graph
QUANTILE = 0.9


@dataclass
class Trees:
    """The trees of one model's layers: ends (layers, 2, n - 1) int, the lower first, lengths (layers, n - 1) float64, and their sums (layers,)."""

    n: int
    ends: np.ndarray
    lengths: np.ndarray
    weights: np.ndarray


def tree_of(number: int, layer: Tensor, squares: Tensor | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The minimum spanning tree of a prepared layer (n, d), the `number`-th: ends (2, n - 1), the lower first, and lengths (n - 1,).

    Lengths are in units of the 0.9-quantile of all n x n distances. squares: the squared distances (n, n), float64; without
    them none are held.
    Raises InputError where nine tenths of the distances are 0.
    """
    points = centre(layer.double().cpu()).numpy()
    squares = None if squares is None else squares.cpu().numpy()
    unit = distance_quantile(points, squares)
    if not unit > 0:
        raise InputError(
            f"layer {number}: rtd_lite is not defined, nine tenths of its distances are 0; leave it out"
        )
    ends, lengths = spanning_tree(points, squares)
    return np.sort(ends, axis=0), lengths / unit


def make_trees(grown: Iterable[tuple[np.ndarray, np.ndarray]]) -> Trees:
    """The trees of one model's layers, each as `tree_of` gives it."""
    ends, lengths = (np.stack(part) for part in zip(*grown, strict=True))
    return Trees(ends.shape[2] + 1, ends, lengths, lengths.sum(axis=1))


def tree_scores(x: Trees, y: Trees, permutations: Tensor) -> Tensor:
    """The score of all layer pairs, for each of some permutations (p, n): (p, layers_x, layers_y) float64.

    permutation: y's samples in another order: row r of the new y is row permutation[r] of the old.
    """
    return torch.from_numpy(np.minimum(_joint_weights(x, y, permutations) / _mean_weights(x, y), 1.0))


def distances_lite(x: Trees, y: Trees, scores: np.ndarray) -> np.ndarray:
    """RTD-Lite itself, of all layer pairs, from their scores (layers_x, layers_y)."""
    return (1 - scores) * _mean_weights(x, y)


def _mean_weights(x, y):
    return (x.weights[:, None] + y.weights) / 2


def _joint_weights(x, y, permutations):
    """Weights of the trees of min(A, B): (p, layers_x, layers_y)."""
    n, layers = x.n, (len(x.weights), len(y.weights))
    found = np.empty((len(permutations), *layers))
    tasks = [(p, i, j) for p in range(len(permutations)) for i in range(layers[0]) for j in range(layers[1])]
    renamed = np.argsort(permutations.cpu().numpy(), axis=1)  # old row -> new row
    for start in range(0, len(tasks), TOGETHER):
        some = tasks[start : start + TOGETHER]
        # Of a pair of samples the sparse routine takes the shorter of its two cells: x's edges lie above the diagonal, y's below.
        rows, columns, values = [], [], []
        for place, (p, i, j) in enumerate(some):
            (low, high), b = x.ends[i], renamed[p][y.ends[j]]
            rows += [low + place * n, np.maximum(*b) + place * n]
            columns += [high + place * n, np.minimum(*b) + place * n]
            values += [x.lengths[i], y.lengths[j]]
        cells = np.concatenate(values) + 1  # a length of 0 would count as no edge
        graph = sparse.csr_array(
            (cells, (np.concatenate(rows), np.concatenate(columns))), shape=(len(some) * n,) * 2
        )
        tree = csgraph.minimum_spanning_tree(graph).tocoo()
        sums = np.bincount(tree.row // n, tree.data - 1, minlength=len(some))
        for (p, i, j), weight in zip(some, sums, strict=True):
            found[p, i, j] = weight
    return found


def spanning_tree(points: np.ndarray, squares: np.ndarray | None = None):
    """A minimum spanning tree of points (n, d) by Prim's algorithm: ends (2, n - 1), lengths (n - 1,).

    squares: their squared distances (n, n); without them they are made a row at a time.
    """
    n = len(points)
    lengths = (points**2).sum(axis=1)
    nearest, link, taken = np.full(n, np.inf), np.zeros(n, dtype=np.int64), np.zeros(n)
    ends, closer, reach = np.empty((2, n - 1), dtype=np.int64), np.empty(n, dtype=bool), np.empty(n)
    last = 0
    for number in range(n - 1):
        taken[last] = np.inf
        away = lengths + lengths[last] - 2 * (points @ points[last]) if squares is None else squares[last]
        np.less(away, nearest, out=closer)
        np.copyto(nearest, away, where=closer)
        np.copyto(link, last, where=closer)
        last = int(np.add(nearest, taken, out=reach).argmin())
        ends[:, number] = link[last], last
    # The differences of squares round: the few lengths that count are computed anew.
    return ends, np.linalg.norm(points[ends[0]] - points[ends[1]], axis=1)


def distance_quantile(points: np.ndarray, squares: np.ndarray | None = None) -> float:
    """The linear 0.9-quantile of all n x n distances, the zeros of the diagonal included.

    squares: the points' squared distances (n, n); without them not all are held.
    """
    n = len(points)
    place = QUANTILE * (n * n - 1)
    below = int(place)
    if squares is not None:
        found = squares[np.tril(np.ones((n, n), dtype=bool), -1)]
        ranks = [(rank - n) // 2 for rank in (below, below + 1)]  # behind n zeros, each pair twice
        found.partition(ranks)
        low, high = np.sqrt(found[ranks])
        return float(low + (place - below) * (high - low))
    lengths = (points**2).sum(axis=1)

    def blocks():
        for start in range(0, n, BLOCK):
            rows = slice(start, min(start + BLOCK, n))
            inner = points[rows] @ points.T
            found = np.maximum(lengths[rows, None] + lengths - 2 * inner, 0)
            found[np.arange(len(found)), np.arange(rows.start, rows.stop)] = 0
            yield np.sqrt(found)

    top = 2 * np.sqrt(lengths.max()) + np.finfo(float).tiny
    counts = sum(np.bincount(_bin(block, top), minlength=BINS) for block in blocks())
    before = np.concatenate([[0], counts.cumsum()])
    bins = np.searchsorted(before, [below, below + 1], side="right") - 1
    inside = np.sort(np.concatenate([b.ravel()[np.isin(_bin(b, top), bins)] for b in blocks()]))
    low, high = inside[below - before[bins[0]]], inside[below + 1 - before[bins[0]]]
    return float(low + (place - below) * (high - low))


def _bin(block, top):
    return np.minimum((block.ravel() / top * BINS).astype(np.int64), BINS - 1)
