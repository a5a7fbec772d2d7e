"""Alignment of two models: a metric over all their layer pairs, and the best pair."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from prh.alignment.catalogue import METRICS, check_metric
from prh.alignment.metrics import LayerState, layer_state, pair_scores
from prh.alignment.neighbors import rank, read_index
from prh.alignment.preprocess import prepare
from prh.errors import about
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
    x_layers: Sequence[Tensor | np.ndarray],
    y_layers: Sequence[Tensor | np.ndarray],
    metric: str = "mutual_knn",
    k: int | None = 10,
    clamp: str | None = "exact",
    mode: str = "robust",
    concatenate: bool = False,
    device: str = "cpu",
) -> Alignment:
    """Align two models from raw features: clamp, L2-normalise, and measure all layer pairs.

    x_layers, y_layers: one (n, d_l) matrix per layer, of any floating type. k is left out of account by metrics
    without neighbours. clamp, concatenate, device: see `preprocess.prepare`; mode: see `metrics`.
    Raises InputError for bad features or requests.
    """
    if metric in METRICS and not METRICS[metric].needs_k:
        k = None  # so that the default need not be undone by the caller
    check_metric(metric, k, mode)
    x = layer_state(metric, prepare(x_layers, clamp, concatenate, device), k, mode)
    y = layer_state(metric, prepare(y_layers, clamp, concatenate, device), k, mode)
    return best_pair(align_states(metric, x, y), mode)


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


def open_tile(params, files):
    """The models of a tile: each one's file and its layers as the tile's metric takes them, two mappings by model.

    params: a rule's models, metric, k, clamp, concatenate, device; files: in the models' order, of neighbours or of
    features. Layers are a neighbour table, or features clamped and normalised; of those, for CKNNA, the ranking for all k.
    """
    paths, family = dict(zip(params.models, files, strict=True)), METRICS[params.metric].family
    if family == "neighbors":
        return paths, {model: read_index(path)[0] for model, path in paths.items()}
    layers = {}
    for model, path in paths.items():
        features = read_features(path)[0]
        with about(path):
            layers[model] = prepare(features, params.clamp, params.concatenate, params.device)
            if family == "cknna":
                layers[model] = [rank(layer, max(params.k)) for layer in layers[model]]
    return paths, layers


def stacked(layers):
    """The layers of several models one after the other: neighbour tables (layers, n, k) as one, or one list."""
    if all(isinstance(found, Tensor) for found in layers):
        return torch.cat(layers)
    return [layer for found in layers for layer in found]
