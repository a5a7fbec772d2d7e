"""Metrics of whole feature spaces: SVCCA and Procrustes."""

import torch
from scipy.linalg import eigh
from torch import Tensor

COMPONENTS = 10  # singular vectors kept, and canonical components, as in the official code


def svcca_bases(layers: list[Tensor], exact: bool = True, seed: int = 0) -> Tensor:
    """The leading left singular vectors of each layer, columns z-scored: (layers, n, <= 10).

    exact: by eigendecomposition, in float64. Otherwise by torch.svd_lowrank, as the official code, here seeded.
    Raghu et al. 2017; number of components as in the official code of Huh et al. 2024.
    """
    count = min(COMPONENTS, len(layers[0]) - 1, *(layer.shape[1] for layer in layers))
    return torch.stack([_leading(_z_scored(layer), count, exact, seed) for layer in layers])


def svcca_scores(x: Tensor, y: Tensor, permutation: Tensor | None = None) -> Tensor:
    """Mean canonical correlation of all layer pairs: (layers_x, layers_y) float64; y permuted if asked.

    Canonical correlations of two orthonormal bases of centred columns are the singular values of their product.
    """
    if permutation is not None:
        y = y[:, permutation]
    products = torch.einsum("anp,bnq->abpq", x, y)
    return torch.linalg.svdvals(products).mean(dim=-1).double()


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
    return centred / scale.where(scale > 0, 1.0)


def _leading(matrix: Tensor, count: int, exact: bool, seed: int) -> Tensor:
    if not exact:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return torch.svd_lowrank(matrix, q=count)[0]
    n, d = matrix.shape
    if n <= d:
        return _largest(matrix @ matrix.T, count)[1]
    values, vectors = _largest(matrix.T @ matrix, count)
    return matrix @ (vectors / values.clamp(min=1e-300).sqrt())


def _largest(symmetric: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest eigenvalues, ascending, and their vectors. SciPy computes no others."""
    last = len(symmetric) - 1
    values, vectors = eigh(symmetric.cpu().numpy(), subset_by_index=[last - count + 1, last])
    return torch.from_numpy(values).to(symmetric), torch.from_numpy(vectors).to(symmetric)
