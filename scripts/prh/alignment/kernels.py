"""Kernel metrics as dot products: each layer's centred kernel matrix as one unit vector.

CKA, unbiased CKA, CKA with an RBF kernel, RSA and geo-topological RSA all are the cosine of two symmetric n x n matrices. Half of each
matrix is kept, the off-diagonal cells times sqrt(2), so that all layer pairs of two models are one product of two
(layers, n (n + 1) / 2) matrices. Features are centred first, which changes none of these metrics and keeps float32
exact enough for features whose mean cosine is near 1.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from prh.alignment.blocks import Blocks, block_products, make_blocks, squared_distances
from prh.alignment.catalogue import SAMPLES_HELD
from prh.alignment.neighbors import centre, gram

DENSE_LIMIT = SAMPLES_HELD  # above, linear kernels go by way of the features, others by blocks
CHUNK = 2**10  # matrix cells multiplied at a time in float32; the sums are added up in float64
TOGETHER = 16  # permutations multiplied at a time at most: larger products, of less overhead
WIDE = 512  # columns of such a product: more no longer help, and are more to hold
LINEAR = ("linear", "unbiased")


@dataclass
class Kernels:
    """The kernels of one model: unit vectors (layers, n (n + 1) / 2) and squared norms (layers,) float64."""

    n: int
    vectors: Tensor
    squares: Tensor

    @cached_property
    def by_cell(self) -> Tensor:
        """The vectors the other way round, one row for each of the n x n cells, both halves, for permuting: (n * n, layers).

        The cells of a permuted row then lie in one row of the matrix, which the processor's cache holds.
        """
        return self.vectors.T.contiguous().index_select(
            0, _half_places(self.n, self.vectors.device).flatten()
        )


@dataclass
class Features:
    """Centred features of one model too large for n x n matrices, the kernel meant, and squared norms (layers,)."""

    n: int
    layers: list[Tensor]
    unbiased: bool
    squares: Tensor


def make_kernels(layers: list[Tensor], kind: str, sigma: float = 1.0) -> Kernels | Features | Blocks:
    """The centred kernels of the prepared layers (n, d_l) of one model.

    kind: "linear" (HKH), "unbiased" (U-centred, so that dot products are the unbiased HSIC of Song et al. 2012),
        "rbf" (exp(-|a - b|^2 / (2 sigma^2)), then HKH); for ranks of distances see the module `distances`.
    Above DENSE_LIMIT samples no matrix is kept; see `Features` and the module `blocks`.
    """
    n = len(layers[0])
    if n > DENSE_LIMIT:
        centred = [centre(layer) for layer in layers]
        return _make_features(centred, kind, n) if kind in LINEAR else make_blocks(centred, kind, sigma)
    half, diagonal = _half_cells(n, layers[0].device), diagonal_cells(n, layers[0].device)
    vectors, squares = layers[0].new_empty(len(layers), len(half)), []
    for layer, vector in zip(layers, vectors, strict=True):
        matrix = _centred_kernel(gram(centre(layer)), kind, sigma)
        torch.index_select(matrix.flatten(), 0, half, out=vector)
        vector *= 2**0.5
        vector[diagonal] = matrix.diagonal()
        squares.append(vector.double().square().sum())
        if squares[-1] > 0:
            vector /= squares[-1].sqrt()
    return Kernels(n, vectors, torch.stack(squares))


def kernel_products(
    x: Kernels | Features | Blocks, y: Kernels | Features | Blocks, permutation: Tensor | None = None
) -> Tensor:
    """Cosines of all kernels of x with all of y: (layers_x, layers_y) float64.

    permutation: y's samples in another order, row r of the new y being row permutation[r] of the old one.
    """
    if permutation is not None:
        return permuted_products(x, y, permutation.unsqueeze(0))[0]
    if not isinstance(x, Kernels):
        return (block_products if isinstance(x, Blocks) else _feature_products)(x, y)
    total = torch.zeros(len(x.vectors), len(y.vectors), dtype=torch.float64, device=x.vectors.device)
    for a, b in zip(x.vectors.split(CHUNK, dim=1), y.vectors.split(CHUNK, dim=1), strict=True):
        total += a @ b.T
    return total


def permuted_products(
    x: Kernels | Features | Blocks, y: Kernels | Features | Blocks, permutations: Tensor
) -> Tensor:
    """As `kernel_products`, for each of some permutations (p, n): (p, layers_x, layers_y) float64."""
    if not isinstance(x, Kernels):
        products = block_products if isinstance(x, Blocks) else _feature_products
        return torch.stack([products(x, y, permutation) for permutation in permutations])
    n, count = x.n, x.vectors.shape[1]
    rows, columns = _half_indices(n, x.vectors.device)
    parts = []
    for some in permutations.split(max(1, min(TOGETHER, WIDE // len(y.vectors)))):
        total = x.vectors.new_zeros(len(x.vectors), len(some) * len(y.vectors), dtype=torch.float64)
        labels = some.T.contiguous()
        starts = labels * n
        gathered = x.vectors.new_empty(min(CHUNK, count) * len(some), len(y.vectors))
        for start in range(0, count, CHUNK):
            cells = slice(start, start + CHUNK)
            places = starts.index_select(0, rows[cells]) + labels.index_select(0, columns[cells])
            values = _take(y.by_cell, places.flatten(), gathered[: places.numel()])
            total += x.vectors[:, cells] @ values.view(len(places), -1)
        parts.append(total.view(len(x.vectors), len(some), -1).transpose(0, 1))
    return torch.cat(parts)


def _take(table: Tensor, places: Tensor, out: Tensor) -> Tensor:
    """Rows of a table; on a processor by NumPy, whose way to copy short rows is the faster one."""
    if table.is_cuda:
        return torch.index_select(table, 0, places, out=out)
    np.take(table.numpy(), places.numpy(), axis=0, out=out.numpy(), mode="clip")
    return out


def square_matrix(kernels: Kernels, layer: int) -> Tensor:
    """The (n, n) unit kernel of one layer."""
    vector = kernels.vectors[layer] * 0.5**0.5
    diagonal = diagonal_cells(kernels.n, vector.device)
    vector[diagonal] = kernels.vectors[layer, diagonal]
    return vector[_half_places(kernels.n, vector.device).long()]


def _centred_kernel(products: Tensor, kind: str, sigma: float) -> Tensor:
    if kind == "linear":
        return products  # of centred features, hence centred
    if kind == "unbiased":
        return _u_centre(products.fill_diagonal_(0))
    norms = products.diagonal().clone()
    distances = squared_distances(products, norms, norms).fill_diagonal_(0)
    # exp less 1, which centring takes off anyway: near items differ by less than 1 is rounded to.
    kernel = torch.expm1(distances.double() / (-2 * sigma**2))
    means = kernel.mean(dim=1)
    return (kernel - means.unsqueeze(1) - (means - means.mean())).to(products)


def _u_centre(kernel: Tensor) -> Tensor:
    """U-centring (Szekely and Rizzo 2014) of a kernel with zero diagonal; <K, L> / (n (n - 3)) is the unbiased HSIC."""
    n = len(kernel)
    sums = kernel.sum(dim=1, dtype=torch.float64)
    offset = sums.sum() / ((n - 1) * (n - 2))
    shift = (sums / (n - 2) - offset / 2).to(kernel)
    return kernel.sub_(shift.unsqueeze(1)).sub_(shift).fill_diagonal_(0)


@lru_cache(maxsize=2)
def _half_cells(n: int, device: torch.device) -> Tensor:
    """Positions, in a flattened (n, n) matrix, of its lower half with the diagonal, row by row."""
    return torch.ones(n, n, dtype=torch.bool, device=device).tril().flatten().nonzero().flatten()


@lru_cache(maxsize=2)
def _half_indices(n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column of each cell of the lower half, int32."""
    rows, columns = torch.tril_indices(n, n, device=device, dtype=torch.int32)
    return rows, columns


@lru_cache(maxsize=2)
def _half_places(n: int, device: torch.device) -> Tensor:
    """The (n, n) matrix of each cell's place in the lower half, or its mirror's, int32."""
    half = _half_cells(n, device)
    places = torch.zeros(n * n, dtype=torch.int32, device=device)
    places[half] = torch.arange(len(half), dtype=torch.int32, device=device)
    places = places.view(n, n)
    return torch.maximum(places, places.T)


def diagonal_cells(n: int, device: torch.device) -> Tensor:
    """Positions of the diagonal in the lower half."""
    i = torch.arange(n, device=device)
    return i * (i + 3) // 2


def _make_features(centred: list[Tensor], kind: str, n: int) -> Features:
    features = Features(n, centred, kind == "unbiased", torch.ones(len(centred), dtype=torch.float64))
    features.squares = torch.stack([_inner(layer, layer, features.unbiased) for layer in centred])
    return features


def _feature_products(x: Features, y: Features, permutation: Tensor | None = None) -> Tensor:
    out = torch.empty(len(x.layers), len(y.layers), dtype=torch.float64)
    for j, b in enumerate(y.layers):
        permuted = b if permutation is None else b[permutation]
        for i, a in enumerate(x.layers):
            out[i, j] = _inner(a, permuted, x.unbiased) / (x.squares[i] * y.squares[j]).sqrt()
    return out


def _inner(a: Tensor, b: Tensor, unbiased: bool) -> Tensor:
    """<HKH, HLH> or n (n - 3) times the unbiased HSIC, K and L the linear kernels of centred features a, b.

    <HKH, HLH> = |a^T b|^2 (Kornblith et al. 2019). As a and b are centred, the row sums of K and L are 0 and the
    terms of Song et al. 2012 (equation 5) come down to the diagonals.
    """
    total = (a.T @ b).double().square().sum()
    if not unbiased:
        return total
    n = len(a)
    p = a.double().square().sum(dim=1)
    q = b.double().square().sum(dim=1)
    return total - p @ q + p.sum() * q.sum() / ((n - 1) * (n - 2)) - 2 * (p @ q) / (n - 2)
