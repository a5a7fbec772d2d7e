"""How high a score is above chance: permutation nulls, p-values, calibrated scores, intervals.

Groeger et al. 2026 ("Revisiting the Platonic Representation Hypothesis: An Aristotelian View"), algorithms 1 and 2:
the samples of one model are permuted K times, the same for all its layers, and the statistic itself, here the
maximum over layer pairs, is taken anew for each permutation. Procrustes has no null: each permutation would cost as
much as the metric. SVCCA, Procrustes and RTD-Lite have no bootstrap interval, nor have kernel metrics above 8,192 samples.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from prh.alignment.align import best_pair, raw_states
from prh.alignment.blocks import Blocks
from prh.alignment.catalogue import METRICS
from prh.alignment.cknna import hsic
from prh.alignment.kernels import TOGETHER, Kernels, square_matrix
from prh.alignment.knn_graph import KnnGraph
from prh.alignment.metrics import LayerState, pair_scores, permuted_scores, sample_scores
from prh.alignment.trees import Trees
from prh.errors import InputError

NOTHING = 1e-9  # of a layer's CKNNA with itself, against that of all items: rounding
BATCH = 100  # bootstrap resamples at a time


@dataclass(frozen=True)
class Calibration:
    """A score against its null distribution.

    score, layer_x, layer_y: the best layer pair; null_mean: mean of the null; tau: the score that chance exceeds
    with probability alpha; p_value: (1 + #{null >= score}) / (K + 1); calibrated_score: 0 at tau, 1 at the metric's
    maximum; null: (K,) the null scores. pairs: the same four values for each layer pair by itself, arrays
    (layers_x, layers_y) named null_mean, tau, p_value, calibrated_score; None unless asked for. interval: of the score,
    see `bootstrap_interval`; None unless asked for.
    """

    score: float
    layer_x: int
    layer_y: int
    null_mean: float
    tau: float
    p_value: float
    calibrated_score: float
    null: np.ndarray
    pairs: dict[str, np.ndarray] | None = None
    interval: tuple[float, float] | None = None


def permutations(n: int, count: int, seed: int = 0) -> Tensor:
    """`count` random permutations of n samples, (count, n) int64; the same for the same arguments."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randperm(n, generator=generator) for _ in range(count)])


def calibrate(
    layers_x: Sequence[Tensor | np.ndarray],
    layers_y: Sequence[Tensor | np.ndarray],
    metric: str = "mutual_knn@10",
    permutations: int = 200,
    alpha: float = 0.05,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    clamp: str | None = "exact",
    concatenate: bool = False,
    device: str = "cpu",
) -> Calibration:
    """Align two models from raw features as `align.align` does, and calibrate the best score, with its interval.

    permutations: of y's samples, for the null; resamples: of the samples, for the interval at the level `confidence`; else
    as `align.align`. Raises InputError for bad features or requests, and for a metric without a cheap null.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> things = rng.standard_normal((100, 5))
    >>> models = [[things @ rng.standard_normal((5, 8)) + rng.standard_normal((100, 8))] for _ in "xy"]
    >>> found = calibrate(*models, "mutual_knn@10", permutations=99)
    >>> round(found.score, 3), round(found.null_mean, 3), round(found.tau, 3), found.p_value
    (0.385, 0.102, 0.121, 0.01)
    >>> round(found.calibrated_score, 3), tuple(round(end, 2) for end in found.interval)
    (0.3, (0.35, 0.41))
    """
    x, y = raw_states(layers_x, layers_y, metric, clamp, "robust", concatenate, device)
    made = calibrate_states(x, y, permutations, alpha, seed)
    ends = bootstrap_interval(x, y, made.layer_x, made.layer_y, resamples, confidence, seed)
    return replace(made, interval=ends)


def calibrate_states(
    x: LayerState,
    y: LayerState,
    count: int = 200,
    alpha: float = 0.05,
    seed: int = 0,
    orders: Tensor | None = None,
    per_pair: bool = False,
) -> Calibration:
    """Calibrate the best score over all layer pairs of two models against `count` permutations of y's samples.

    x, y: states of one metric from `metrics.layer_state`. orders: the permutations (K, n) themselves, in place of
    count and seed. per_pair: calibrate each layer pair by itself too.
    Raises InputError for a metric without a cheap null, and a count or alpha out of range.
    """
    if not METRICS[x.metric].cheap_null:
        raise InputError(
            f"{x.metric} has no cheap form under permutation: it cannot be calibrated; take another metric"
        )
    if orders is None:
        if count < 1:
            raise InputError(f"count = {count}: at least one permutation is needed")
        orders = permutations(x.n, count, seed)
    scores = pair_scores(x, y).numpy()
    best = best_pair(scores)
    device = _device(y)
    nulls = permuted_scores(x, y, orders.to(device)).numpy() if per_pair else None
    null = nulls.max(axis=(1, 2)) if per_pair else null_maxima(x, y, orders)[:, 0, 0]
    maximum = METRICS[x.metric].maximum
    summary = {key: float(value) for key, value in summarise(best.score, null, alpha, maximum).items()}
    pairs = summarise(scores, nulls, alpha, maximum) if per_pair else None
    return Calibration(best.score, best.layer_x, best.layer_y, **summary, null=null, pairs=pairs)


def null_maxima(
    x: LayerState, y: LayerState, orders: Iterable[Tensor], starts_x=(0,), starts_y=(0,)
) -> np.ndarray:
    """The highest score over the layer pairs of every model pair, for each permutation: (K, models_x, models_y).

    x, y: states over the layers of several models, one model after the other, with models beginning at the layers
    starts_x and starts_y. One permuted state serves all model pairs, which is what makes a grid cheap.
    orders: permutations (K, n), or an iterable of them.
    """
    device, null, left = _device(y), [], iter(orders)
    while some := list(islice(left, TOGETHER)):
        scores = permuted_scores(x, y, torch.stack(some).to(device)).numpy()
        null.append(np.maximum.reduceat(np.maximum.reduceat(scores, starts_x, axis=1), starts_y, axis=2))
    return np.concatenate(null)


def summarise(
    score: float | np.ndarray, null: np.ndarray, alpha: float = 0.05, maximum: float | None = 1.0
) -> dict[str, np.ndarray]:
    """null_mean, tau, p_value and calibrated_score of a score (...) against null scores (K, ...).

    tau is the ceil((1 - alpha)(K + 1))-th smallest of the score and the K null scores, not interpolated. The
    calibrated score is max(0, (s - tau) / (maximum - tau)), or max(0, s - tau) without a maximum.
    """
    if not 0 < alpha < 1:
        raise InputError(f"alpha = {alpha}: must lie between 0 and 1")
    score, count = np.asarray(score), len(null)
    everything = np.sort(np.concatenate([score[None], null]), axis=0)
    rank = math.ceil(
        (1 - alpha) * (count + 1) - 1e-9
    )  # 0.95 * 200 is 190, whatever floating point makes of it
    tau = everything[rank - 1]
    excess = np.maximum(score - tau, 0)
    if maximum is not None:
        excess = np.clip(excess / np.maximum(maximum - tau, 1e-12), 0, 1)
    return {
        "null_mean": null.mean(axis=0),
        "tau": tau,
        "p_value": (1 + (null >= score).sum(axis=0)) / (count + 1),
        "calibrated_score": excess,
    }


def bootstrap_interval(
    x: LayerState,
    y: LayerState,
    layer_x: int,
    layer_y: int,
    count: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """The interval of one layer pair's score over samples drawn with replacement, neighbours and centring held fixed.

    Percentiles of the resampled deviations from their mean, about the score: duplicates of a sample shift the level
    of kernel metrics, which the deviations leave out. What would lie beyond the metric's range is cut off. (nan, nan) for metrics without one, see the module.
    """
    x, y = one_layer(x, layer_x), one_layer(y, layer_y)
    score = float(pair_scores(x, y))
    resample = _resampler(x, y)
    if resample is None:
        return math.nan, math.nan
    values = np.concatenate([resample(weights) for weights in _weights(x.n, count, seed)])
    spec = METRICS[x.metric]
    low, high = np.clip(interval(score, values, level), spec.minimum, spec.maximum)
    return float(low), float(high)


def interval(score: float, values: np.ndarray, level: float) -> tuple[float, float]:
    """Percentiles of the deviations of resampled values (count,) from their mean, about the score."""
    low, high = np.quantile(values - values.mean(), [(1 - level) / 2, (1 + level) / 2])
    return score + float(low), score + float(high)


def resampled(shares: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """The mean of shares (..., n) over samples drawn with replacement, `count` times, the same samples for all: (..., count)."""
    n = shares.shape[-1]
    return np.concatenate([shares @ weights / n for weights in _weights(n, count, seed)], axis=-1)


def one_layer(state: LayerState, layer: int) -> LayerState:
    """The state of a single layer."""
    data, pick = state.data, slice(layer, layer + 1)
    if isinstance(data, KnnGraph):
        rows = data.tables["in"][:, layer].nonzero().flatten()
        tables = {key: t[pick] if key == "own" else t[rows, pick] for key, t in data.tables.items()}
        data = KnnGraph(data.n, data.codes[rows], tables)
    elif isinstance(data, Kernels):
        data = Kernels(data.n, data.vectors[pick], data.squares[pick])
    elif isinstance(data, Trees):
        data = Trees(data.n, data.ends[pick], data.lengths[pick], data.weights[pick])
    elif isinstance(data, Blocks):
        data = data.pick(pick)
    elif isinstance(data, Tensor | list):
        data = data[pick]
    else:
        data = type(data)(data.n, data.layers[pick], data.unbiased, data.squares[pick])
    return LayerState(state.metric, state.mode, state.k, state.n, 1, data)


def _device(state: LayerState) -> torch.device:
    data = state.data
    tensor = data.codes if isinstance(data, KnnGraph) else data.vectors if isinstance(data, Kernels) else data
    return tensor.device if isinstance(tensor, Tensor) else torch.device("cpu")


def _weights(n: int, count: int, seed: int) -> Iterator[np.ndarray]:
    """How often each sample is drawn: (n, <= BATCH) float32, which is exact, `count` columns in all."""
    drawn = _drawn(n, count, seed)
    for start in range(0, count, BATCH):
        yield drawn[start : start + BATCH].T.astype(np.float32)


@lru_cache(maxsize=1)  # the same for every pair of models
def _drawn(n: int, count: int, seed: int) -> np.ndarray:
    """How often each of n samples is among n drawn with replacement, `count` times: (count, n) uint16."""
    generator = np.random.default_rng(seed)
    return np.stack(
        [np.bincount(generator.integers(n, size=n), minlength=n).astype(np.uint16) for _ in range(count)]
    )


def _resampler(x: LayerState, y: LayerState):
    """A function from weights (n, b) to the scores (b,) of so weighted samples, or None."""
    family = METRICS[x.metric].family
    if family == "neighbors":
        values = sample_scores(x, y).cpu().numpy()
        return lambda weights: values @ weights / x.n
    if family == "cknna":
        return _cknna_resampler(x, y)
    if isinstance(x.data, Kernels):
        a, b = (square_matrix(state.data, 0).cpu().numpy() for state in (x, y))
        both, own_a, own_b = a * b, a * a, b * b
        return lambda w: _cosines(_form(both, w), _form(own_a, w), _form(own_b, w))
    return None


def _form(matrix, weights: np.ndarray) -> np.ndarray:
    """w' M w for each column w."""
    return (weights * (matrix @ weights)).sum(axis=0, dtype=float)


def _cosines(both: np.ndarray, own_a: np.ndarray, own_b: np.ndarray, least=(0, 0)) -> np.ndarray:
    """both / sqrt(own_a own_b); 0 where a side's is not above its least, as in a resample of too few different samples."""
    defined = (own_a > least[0]) & (own_b > least[1])
    return np.where(defined, both / np.sqrt(np.where(defined, own_a * own_b, 1)), 0)


def _cknna_resampler(x: LayerState, y: LayerState):
    variant = METRICS[x.metric].variant
    a, b = _sparse(x.data, "value"), _sparse(y.data, "value")
    shared_a, shared_b = a.multiply(_sparse(y.data, "in")).tocsr(), b.multiply(_sparse(x.data, "in")).tocsr()

    def product(k, m, weights: np.ndarray) -> np.ndarray:
        if variant in ("paper", "centred"):
            return _form(k.multiply(m), weights)
        cross = (weights * (k.T @ weights) * (m @ weights)).sum(axis=0)
        back = (weights * (m.T @ weights) * (k @ weights)).sum(axis=0)
        totals = _form(k, weights) * _form(m, weights)
        return hsic(_form(k.multiply(m.T), weights), totals, cross, back, x.n, variant)

    # A draw of few items may have none with another near: rounding is then all there is.
    least = [NOTHING * product(each, each, np.ones((x.n, 1))) for each in (a, b)]

    def scores(weights: np.ndarray) -> np.ndarray:
        own = product(a, a, weights), product(b, b, weights)
        return _cosines(product(shared_a, shared_b, weights), *own, least)

    return scores


def _sparse(graph: KnnGraph, table: str) -> sparse.csr_array:
    rows, columns = (part.cpu().numpy() for part in graph.rows_columns)
    values = graph.tables[table][:, 0].double().cpu().numpy()
    return sparse.coo_array((values, (rows, columns)), shape=(graph.n, graph.n)).tocsr()
