"""Metrics of whole feature spaces: SVCCA and Procrustes."""

import torch
from scipy.linalg import eigh
from torch import Tensor

from prh.errors import InputError

COMPONENTS = 10  # singular vectors kept, and canonical components, as in the official code
ROUNDING = torch.finfo(torch.float32).eps  # of the features, whatever type they are computed in
CONSTANT = 1e-12  # a column's spread in units of its largest value, below which only its mean was rounded


def svcca_bases(layers: list[Tensor], exact: bool = True, seed: int = 0) -> Tensor:
    """The leading left singular vectors of each layer, columns z-scored: (layers, n, <= 10).

    exact: by eigendecomposition, in float64, each layer to its numerical rank; its further columns are 0. Otherwise by
    torch.svd_lowrank, as the official code, here seeded.
    Raghu et al. 2017; number of components as in the official code of Huh et al. 2024; the rank counts singular values
    above max(n, d) epsilons of float32 times the largest, as numpy.linalg.matrix_rank does.
    Raises InputError for a layer of rank 0.
    """
    if not exact:
        count = min(COMPONENTS, len(layers[0]) - 1, *(layer.shape[1] for layer in layers))
        return torch.stack([_low_rank(_z_scored(layer), count, seed) for layer in layers])
    bases = layers[0].new_zeros(len(layers), len(layers[0]), COMPONENTS, dtype=torch.float64)
    for number, layer in enumerate(layers):
        basis = _leading(_z_scored(layer))
        if basis.shape[1] == 0:
            raise InputError(f"layer {number}: svcca is not defined, its samples do not differ; leave it out")
        bases[number, :, : basis.shape[1]] = basis
    return bases


def svcca_scores(x: Tensor, y: Tensor, permutation: Tensor | None = None) -> Tensor:
    """Mean canonical correlation of all layer pairs: (layers_x, layers_y) float64; y permuted if asked.

    Canonical correlations of two orthonormal bases of centred columns are the singular values of their product. The mean
    is over as many as the smaller of both ranks: there are no more, and a layer scores 1 with itself.
    """
    if permutation is not None:
        y = y[:, permutation]
    products = torch.einsum("anp,bnq->abpq", x, y)
    correlations = torch.linalg.svdvals(products).clamp(max=1)
    return correlations.sum(dim=-1).double() / torch.minimum(_ranks(x)[:, None], _ranks(y))


def procrustes_shapes(layers: list[Tensor]) -> list[Tensor]:
    """Each layer centred, of unit Frobenius norm, and rotated to at most n columns."""
    shapes = []
    for layer in layers:
        shape = layer.double() - layer.mean(dim=0, dtype=torch.float64)
        shape = shape / shape.norm()
        if shape.shape[1] > shape.shape[0]:
            shape = torch.linalg.qr(shape.T).R.T
        shapes.append(shape)
    return shapes


def procrustes_scores(x: list[Tensor], y: list[Tensor], permutation: Tensor | None = None) -> Tensor:
    """Sum of singular values of X^T Y for all layer pairs: (layers_x, layers_y) float64; y permuted if asked.

    1 for shapes equal up to rotation, reflection, scale and shift; 2 - 2 * score is the squared distance after the
    best rotation (Williams et al. 2021), and 1 - score^2 the disparity of scipy.spatial.procrustes.
    """
    rows = [
        [torch.linalg.svdvals(a.T @ (b if permutation is None else b[permutation])).sum() for b in y]
        for a in x
    ]
    return torch.stack([torch.stack(row) for row in rows])


def _z_scored(layer: Tensor) -> Tensor:
    centred = layer.double() - layer.mean(dim=0, dtype=torch.float64)
    scale = centred.std(dim=0)
    varies = scale > CONSTANT * layer.abs().amax(dim=0)
    return torch.where(varies, centred / scale.where(varies, 1.0), 0.0)


def _low_rank(matrix: Tensor, count: int, seed: int) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.svd_lowrank(matrix, q=count)[0]


def _leading(matrix: Tensor) -> Tensor:
    """Left singular vectors (n, <= 10) of a matrix (n, d), to its numerical rank."""
    n, d = matrix.shape
    count = min(COMPONENTS, n - 1, d)
    values, vectors = _largest(matrix @ matrix.T if n <= d else matrix.T @ matrix, count)
    kept = values > (max(n, d) * ROUNDING) ** 2 * values[-1].clamp(min=0)
    values, vectors = values[kept], vectors[:, kept]
    return vectors if n <= d else matrix @ (vectors / values.sqrt())


def _ranks(bases: Tensor) -> Tensor:
    """How many columns of each basis (layers, n, columns) are not 0: (layers,)."""
    return (bases != 0).any(dim=1).sum(dim=1)


def _largest(symmetric: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest eigenvalues, ascending, and their vectors. SciPy computes no others."""
    last = len(symmetric) - 1
    values, vectors = eigh(symmetric.cpu().numpy(), subset_by_index=[last - count + 1, last])
    return torch.from_numpy(values).to(symmetric), torch.from_numpy(vectors).to(symmetric)
