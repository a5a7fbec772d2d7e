"""The metrics: what each is, and its value for two feature matrices or for all layer pairs of two models.

A metric is computed in two steps. `layer_state` does, once per model, what needs the features: ranking, kernels,
bases. `pair_scores` then takes all layer pairs of two models, with the samples of the second permuted if asked.
`align.measure` is both for a single pair of matrices.

mode "reference" gives what the official command line of Huh et al. 2024 gives; "robust" is right. They differ for
cka, cka_rbf_1, unbiased_cka and cknna (1e-6 in the denominator), lcs_knn and edit_distance_knn (three quarters of
the samples lost; LCS not divided by k) and svcca (randomised); docs/differences.md has the sizes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from prh.alignment.catalogue import METRICS, check_metric
from prh.alignment.cknna import cknna_graph, cknna_products
from prh.alignment.distances import of_distances
from prh.alignment.kernels import kernel_products, make_kernels, permuted_products
from prh.alignment.knn_graph import make_graph, shared, shared_counts, sum_products
from prh.alignment.knn_order import edit_distances, longest_common
from prh.alignment.neighbors import Ranking, check_k, index_layers, rank
from prh.alignment.preprocess import check_layers
from prh.alignment.subspaces import procrustes_scores, procrustes_shapes, svcca_bases, svcca_scores
from prh.alignment.trees import tree_scores
from prh.errors import InputError

EPSILON = 1e-6  # what the official code adds to denominators
ROUNDING = 1e-4  # the error of a sum of float32 products: more beyond a metric's range is a fault, and is left to be seen


@dataclass(frozen=True)
class LayerState:
    """What a metric keeps of all layers of one model: made once by `layer_state`, used for every pair."""

    metric: str
    mode: str
    k: int | None
    n: int
    layers: int
    data: object


def layer_state(
    metric: str, layers: Sequence[Tensor | Ranking] | Tensor, k: int | None = None, mode: str = "robust"
) -> LayerState:
    """What `metric` needs of one model.

    layers: the prepared layers, a sequence of (n, d_l) with rows L2-normalised; or, for metrics of the family
        "neighbors", a neighbour table (layers, n, k_max), and for those of "cknna" the layers ranked to k_max, of which
        the first k are used.
    Raises InputError for bad requests (see `check_metric`), n < k + 2, k > k_max, and features where only a
    neighbour table was given.
    """
    return layer_states([metric], layers, k, mode)[metric]


def layer_states(
    metrics: Sequence[str],
    layers: Sequence[Tensor | Ranking] | Tensor,
    k: int | None = None,
    mode: str = "robust",
) -> dict[str, LayerState]:
    """As `layer_state`, of several metrics, by name: those of distances find, and rank, them once for all."""
    counts = {metric: _check_request(metric, layers, k, mode) for metric in metrics}
    windows = {metric: METRICS[metric].window for metric in metrics if METRICS[metric].kernel == "ranks"}
    trees, made = [metric for metric in metrics if METRICS[metric].family == "tree"], {}
    if windows or trees:
        kernels, grown = of_distances(list(layers), [*windows.values()], trees=bool(trees))
        made = dict(zip(windows, kernels, strict=True)) | dict.fromkeys(trees, grown)
    states = {}
    for metric, n in counts.items():
        data = made[metric] if metric in made else _state(metric, layers, k, mode)
        if METRICS[metric].family == "kernel":
            _check_squares(data.squares, metric)
        states[metric] = LayerState(metric, mode, k, n, len(layers), data)
    return states


def _is_table(layers) -> bool:
    return isinstance(layers, Tensor) and layers.ndim == 3 and not layers.is_floating_point()


def _is_ranked(layers) -> bool:
    return not isinstance(layers, Tensor) and all(isinstance(layer, Ranking) for layer in layers)


def _check_request(metric, layers, k, mode) -> int:
    """The number of samples, if the metric can be had of these layers, else InputError."""
    spec = check_metric(metric, k, mode)
    is_table, is_ranked = _is_table(layers), spec.family == "cknna" and _is_ranked(layers)
    if is_table and spec.family != "neighbors":
        raise InputError(f"{metric} needs features: a neighbour table is not enough")
    if not is_table and not is_ranked:
        check_layers(layers)
    n = layers.shape[1] if is_table else len(layers[0])
    if spec.needs_k:
        check_k(k, n)
    elif n < 4:
        raise InputError(f"{n} samples are too few for {metric}: at least 4 are needed")
    if spec.most is not None and n > spec.most:
        raise InputError(f"{metric} takes at most {spec.most:,} samples, here {n:,}; take fewer")
    held = layers.shape[2] if is_table else layers[0].ids.shape[1] if is_ranked else math.inf
    if held < (k or 0):
        raise InputError(f"k = {k}, but the neighbour table holds only {held} neighbours")
    return n


def _state(metric, layers, k, mode):
    """The data of a state, of a metric that is not of distances."""
    spec = METRICS[metric]
    if spec.family == "neighbors":
        ids = layers[:, :, :k] if _is_table(layers) else index_layers(layers, k)
        return ids if spec.ordinal else make_graph(ids)
    if spec.family == "cknna":
        ranked = layers if _is_ranked(layers) else [rank(layer, k) for layer in layers]
        return cknna_graph(ranked, k, spec.variant)
    if spec.family == "kernel":
        return make_kernels(list(layers), spec.kernel, spec.sigma)
    if metric == "svcca":
        return svcca_bases(list(layers), exact=mode == "robust")
    return procrustes_shapes(list(layers))


def pair_scores(x: LayerState, y: LayerState, permutation: Tensor | None = None) -> Tensor:
    """The metric for all layer pairs of two models: (layers_x, layers_y) float64, on the CPU.

    permutation: (n,) int64, y's samples in another order: row r of the new y is row permutation[r] of the old.
    Raises InputError if the states are of different metrics, modes, k or n.
    """
    _check_alike(x, y)
    family = METRICS[x.metric].family
    if family == "subspace":
        scores = (svcca_scores if x.metric == "svcca" else procrustes_scores)(x.data, y.data, permutation)
    else:
        scores = SCORES[family](x, y, permutation)
    return _in_range(scores.cpu(), x)


def permuted_scores(x: LayerState, y: LayerState, permutations: Tensor) -> Tensor:
    """As `pair_scores`, for each of some permutations (p, n): (p, layers_x, layers_y) float64, on the CPU."""
    family = METRICS[x.metric].family
    if family not in ("kernel", "tree"):
        return torch.stack([pair_scores(x, y, permutation) for permutation in permutations])
    _check_alike(x, y)
    if family == "tree":
        return tree_scores(x.data, y.data, permutations)
    return _in_range(_kernel_values(x, y, permuted_products(x.data, y.data, permutations)).cpu(), x)


def sample_scores(x: LayerState, y: LayerState) -> Tensor:
    """Each sample's share in the score of a single layer pair, (n,) float64, whose mean is the score.

    Only for metrics of the family "neighbors", and states of one layer.
    """
    if METRICS[x.metric].ordinal:
        return _list_counts(x, y, None)[0, 0]
    transpose = x.metric == "cycle_knn"
    edges = shared(x.data, y.data, transpose=transpose)
    counts = shared_counts(x.data, y.data, *edges, at_j=transpose)[0, 0].double()
    return counts.clamp(max=1) if transpose else _rescaled(counts / x.k, x)


def _in_range(scores: Tensor, state: LayerState) -> Tensor:
    """Scores that rounding alone has put beyond the metric's range, at its end."""
    spec = METRICS[state.metric]
    if state.mode == "reference":
        return scores
    for end, inner in ((spec.maximum, torch.minimum), (spec.minimum, torch.maximum)):
        if end is not None:
            near = (scores - end).abs() < ROUNDING
            scores = torch.where(near, inner(scores, torch.tensor(end, dtype=scores.dtype)), scores)
    return scores


def _neighbor_scores(x: LayerState, y: LayerState, permutation: Tensor | None) -> Tensor:
    if METRICS[x.metric].ordinal:
        return _list_counts(x, y, permutation).mean(dim=2)
    if x.metric == "cycle_knn":  # the cycle's first sample is the i of y's edge, which is the j of x's
        edges = shared(x.data, y.data, permutation, transpose=True)
        return (shared_counts(x.data, y.data, *edges, at_j=True) > 0).double().mean(dim=2)
    edges = shared(x.data, y.data, permutation)
    return _rescaled(sum_products(x.data.tables["in"], y.data.tables["in"], *edges) / (x.n * x.k), x)


def _rescaled(share: Tensor, state: LayerState) -> Tensor:
    """Mutual k-NN, or its excess over chance, k / (n - 1), relative to the greatest possible."""
    if state.metric == "mutual_knn":
        return share
    chance = state.k / (state.n - 1)
    return (share - chance) / (1 - chance)


def _list_counts(x: LayerState, y: LayerState, permutation: Tensor | None) -> Tensor:
    """LCS length or similarity by edit distance of every sample: (layers_x, layers_y, n) float64."""
    b = y.data
    if permutation is not None:
        new_label = torch.empty_like(permutation)
        new_label[permutation] = torch.arange(y.n, device=permutation.device)
        b = new_label.to(b.dtype)[b[:, permutation].long()]
    is_lcs = x.metric == "lcs_knn"
    compare = longest_common if is_lcs else edit_distances
    counts = torch.stack([compare(a, b) for a in x.data]).double()
    if x.mode == "reference":
        # The official code shares the samples out to four processes and loses the results of three of them.
        counts[:, :, math.ceil(x.n / 4) :] = 0
        if is_lcs:
            return counts
    return counts / x.k if is_lcs else 1 - counts / x.k


def _cknna_scores(x: LayerState, y: LayerState, permutation: Tensor | None) -> Tensor:
    products = cknna_products(x.data, y.data, METRICS[x.metric].variant, permutation)
    return _normalised(products, x.data.tables["own"], y.data.tables["own"], x.mode)


def _tree_scores(x: LayerState, y: LayerState, permutation: Tensor | None) -> Tensor:
    order = torch.arange(x.n) if permutation is None else permutation
    return tree_scores(x.data, y.data, order[None])[0]


def _kernel_scores(x: LayerState, y: LayerState, permutation: Tensor | None) -> Tensor:
    return _kernel_values(x, y, kernel_products(x.data, y.data, permutation))


def _kernel_values(x: LayerState, y: LayerState, cosines: Tensor) -> Tensor:
    """The cosines (..., layers_x, layers_y), or what the official code makes of them."""
    if x.mode == "robust" or METRICS[x.metric].kernel == "ranks":
        return cosines
    # The epsilon stands beside HSIC as the official code scales it: a bare trace, or the unbiased estimate.
    scale = x.n * (x.n - 3) if METRICS[x.metric].kernel == "unbiased" else 1
    norms = torch.outer(x.data.squares, y.data.squares).sqrt() / scale
    return cosines * norms / (norms + EPSILON)


def _normalised(products: Tensor, x_own: Tensor, y_own: Tensor, mode: str) -> Tensor:
    """products / sqrt(x_own y_own); 0 where a layer's alignment with itself is not positive."""
    squares = torch.outer(x_own.clamp(min=0), y_own.clamp(min=0))
    if mode == "reference":
        return products / (squares.sqrt() + EPSILON)
    return torch.where(squares > 0, products / squares.sqrt().where(squares > 0, 1.0), 0.0)


SCORES = {
    "neighbors": _neighbor_scores,
    "cknna": _cknna_scores,
    "kernel": _kernel_scores,
    "tree": _tree_scores,
}


def _check_alike(x: LayerState, y: LayerState) -> None:
    for name in ("metric", "mode", "k", "n"):
        if getattr(x, name) != getattr(y, name):
            raise InputError(f"{name} differs: {getattr(x, name)!r} and {getattr(y, name)!r}")


def _check_squares(squares: Tensor, metric: str) -> None:
    bad = (~(squares > 0)).nonzero().flatten()
    if len(bad):
        raise InputError(
            f"layer {int(bad[0])}: {metric} is not defined, its kernel does not vary; leave the layer out"
        )
