"""Alignment of two models: a metric over all their layer pairs, and the best pair."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from prh.alignment.catalogue import METRICS, check_metric, parse_metric
from prh.alignment.metrics import LayerState, layer_state, pair_scores
from prh.alignment.neighbors import rank, read_index
from prh.alignment.preprocess import prepare
from prh.errors import InputError, about
from prh.features.layers import read_features


@dataclass(frozen=True)
class Alignment:
    """The best layer pair of two models and all scores.

    score: the highest; layer_x, layer_y: its layers, counted from 0 (None in reference mode if no score is above
    0, as in the official code); scores: (layers_x, layers_y) float64.
    """

    score: float
    layer_x: int | None
    layer_y: int | None
    scores: np.ndarray


def align(
    layers_x: Sequence[Tensor | np.ndarray],
    layers_y: Sequence[Tensor | np.ndarray],
    metric: str = "mutual_knn@10",
    clamp: str | None = "exact",
    mode: str = "robust",
    concatenate: bool = False,
    device: str = "cpu",
) -> Alignment:
    """Align two models from raw features: clamp, L2-normalise, and measure all layer pairs.

    layers_x, layers_y: one (n, d_l) matrix per layer, of any floating type. metric: METRIC or METRIC@K, as in the
    configuration. clamp, concatenate, device: see `preprocess.prepare`; mode: see `metrics`.
    Raises InputError for bad features or requests. Huh et al. 2024, appendix A.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> things = rng.standard_normal((100, 5))
    >>> model = [rng.standard_normal((100, 8)), things @ rng.standard_normal((5, 8))]
    >>> found = align(model, [things])
    >>> round(found.score, 3), found.layer_x, found.layer_y, found.scores.shape
    (0.648, 1, 0, (2, 1))
    """
    x, y = raw_states(layers_x, layers_y, metric, clamp, mode, concatenate, device)
    return best_pair(pair_scores(x, y).numpy(), mode)


def measure(
    x: Tensor | np.ndarray,
    y: Tensor | np.ndarray,
    metric: str = "mutual_knn@10",
    clamp: str | None = "exact",
    mode: str = "robust",
    device: str = "cpu",
) -> float:
    """The value of a metric for two raw feature matrices of the same n samples, (n, d_x) and (n, d_y); else as `align`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((100, 5))
    >>> round(measure(x, x @ rng.standard_normal((5, 8)), "cka"), 3)
    0.838
    >>> round(measure(x, rng.standard_normal((100, 8)), "mutual_knn@10"), 3)  # chance is 10 / 99
    0.109
    """
    return float(pair_scores(*raw_states([x], [y], metric, clamp, mode, False, device)))


def raw_states(layers_x, layers_y, metric, clamp, mode, concatenate, device) -> tuple[LayerState, LayerState]:
    """What a metric, METRIC or METRIC@K, needs of two models' raw layers; see `align`."""
    name, k = parse_metric(metric)
    check_metric(name, k, mode)
    states = []
    for side, layers in (("x", layers_x), ("y", layers_y)):
        with about(side):
            states.append(layer_state(name, prepare(layers, clamp, concatenate, device), k, mode))
    x, y = states
    if x.n != y.n:
        raise InputError(f"x has {x.n} samples, y has {y.n}; give features of the same, in the same order")
    return x, y


def align_states(metric: str, x: LayerState, y: LayerState) -> np.ndarray:
    """The scores of all layer pairs of two models, (layers_x, layers_y) float64, from their states."""
    check_metric(metric, x.k, x.mode)
    return pair_scores(x, y).numpy()


def align_neighbors(ids_x: Tensor, ids_y: Tensor, metric: str = "mutual_knn", k: int = 10) -> np.ndarray:
    """The scores of all layer pairs from neighbour tables (layers, n, k_max), of which the first k are used."""
    return align_states(metric, layer_state(metric, ids_x, k), layer_state(metric, ids_y, k))


def best_pair(scores: np.ndarray, mode: str = "robust") -> Alignment:
    """The highest of scores (layers_x, layers_y); of equal ones the first in reading order."""
    layer_x, layer_y = (int(i) for i in np.unravel_index(np.argmax(scores), scores.shape))
    score = float(scores[layer_x, layer_y])
    if mode == "reference" and not score > 0:
        return Alignment(0.0, None, None, scores)
    return Alignment(score, layer_x, layer_y, scores)


def open_tile(params, metrics, files):
    """The models of a tile: each one's file and its layers as the tile's metrics take them, two mappings by model.

    params: a rule's models, clamp, concatenate, device; metrics: the values of k of each; files: in the models' order, of neighbours
    or of features. Layers are a neighbour table, or features clamped and normalised; of those, for CKNNA, the ranking for all k.
    """
    paths = dict(zip(params.models, files, strict=True))
    families = {METRICS[metric].family for metric in metrics}
    if families == {"neighbors"}:
        return paths, {model: read_index(path)[0] for model, path in paths.items()}
    layers = {}
    for model, path in paths.items():
        features = read_features(path)[0]
        with about(path):
            layers[model] = prepare(features, params.clamp, params.concatenate, params.device)
            if families == {"cknna"}:
                most = max(k for ks in metrics.values() for k in ks)
                layers[model] = [rank(layer, most) for layer in layers[model]]
    return paths, layers


def stacked(layers):
    """The layers of several models one after the other: neighbour tables (layers, n, k) as one, or one list."""
    if all(isinstance(found, Tensor) for found in layers):
        return torch.cat(layers)
    return [layer for found in layers for layer in found]
