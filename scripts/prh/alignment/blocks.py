"""Kernels of many samples, a block of the n x n matrix at a time: RBF kernels, RSA and geo-topological RSA.

A layer is passed over twice. The first pass finds what the whole matrix says of each cell: for an RBF kernel the means of its rows, for
ranks how many pairs are nearer. The second makes each block of both models' matrices anew and multiplies them. Memory holds the centred
features and a block of every layer, never a matrix.

Ranks come from a histogram: squared distances are sorted into bins of equal width in their logarithm, 2^19 for each factor of 2 and
16 such factors below the largest, and all of a bin get its mean rank. Those ranks are the projection of the exact ones onto what is the
same within a bin, so that their error is known: with c pairs in a bin, the squared length of what is lost is the sum of (c^3 - c) / 12,
and the score is off by at most the sum of both layers' shares of length lost (`Blocks.errors`). The rounding of distances to
float32, a bin's width, comes on top.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

SIDE = 512  # rows and columns of a block
CHUNK = 2**14  # cells multiplied at a time in float32; the sums are added up in float64
BITS = 4  # the last bits of a float32 that a bin leaves out: 2^19 bins for each factor of 2
OCTAVES = 16  # factors of 2 below the largest squared distance that are told apart


@dataclass
class Ranks:
    """A layer's ranks by bin: centred and, of a window, clipped values from the bin `first` on; what squared distances are measured by."""

    values: Tensor
    first: int
    top: float

    def of(self, distances: Tensor) -> Tensor:
        """The rank of each squared distance; what rounding has put beyond the first or the last bin is in it."""
        return self.values[(_bins(distances, self.top) - self.first).clamp_(0, len(self.values) - 1)]


@dataclass
class Blocks:
    """The kernels of one model, to be made block by block.

    layers: centred features (n, d_l); shapes: of each layer the row means and their mean of an RBF kernel, or `Ranks`; squares:
    (layers,) float64, squared norms of the n x n matrices; errors: (layers,) float64, the share of a layer's length that bins lose.
    """

    n: int
    layers: list[Tensor]
    sigma: float
    shapes: list
    squares: Tensor
    errors: Tensor

    def pick(self, layer: slice) -> "Blocks":
        """Some of the layers."""
        parts = (part[layer] for part in (self.shapes, self.squares, self.errors))
        return Blocks(self.n, self.layers[layer], self.sigma, *parts)


def squared_distances(products: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Squared distances from inner products (r, c) and the squared lengths of rows (r,) and columns (c,)."""
    return (rows.unsqueeze(1) + columns - 2 * products).clamp_(min=0)


def make_blocks(
    layers: list[Tensor], kind: str, sigma: float = 1.0, window: tuple[float, float] = (0.0, 1.0)
) -> Blocks:
    """The first pass over centred layers (n, d_l); kind: "rbf" or "ranks", else as `kernels.make_kernels`."""
    find = (lambda layer: _rbf(layer, sigma)) if kind == "rbf" else (lambda layer: _ranks(layer, *window))
    shapes, squares, errors = zip(*map(find, layers), strict=True)
    numbers = (torch.tensor(part, dtype=torch.float64) for part in (squares, errors))
    return Blocks(len(layers[0]), layers, sigma, list(shapes), *numbers)


def block_products(x: Blocks, y: Blocks, permutation: Tensor | None = None) -> Tensor:
    """Cosines of all kernels of x with all of y, permuted if asked: (layers_x, layers_y) float64."""
    total = torch.zeros(len(x.layers), len(y.layers), dtype=torch.float64)
    order = torch.arange(y.n) if permutation is None else permutation.cpu()
    lengths = [[layer.square().sum(dim=1) for layer in side.layers] for side in (x, y)]
    for rows, columns in _tiles(x.n):
        a = _cells(x, lengths[0], rows, columns, torch.arange(x.n))
        b = _cells(y, lengths[1], rows, columns, order)
        # A block off the diagonal stands for its mirror, too.
        products = sum((p @ q.T).double() for p, q in zip(a.split(CHUNK, 1), b.split(CHUNK, 1), strict=True))
        total += (1 if rows == columns else 2) * products.cpu()
    return total / torch.outer(x.squares, y.squares).sqrt()


def _tiles(n: int) -> Iterator[tuple[slice, slice]]:
    """The blocks on and below the diagonal."""
    for i in range(0, n, SIDE):
        for j in range(0, i + 1, SIDE):
            yield slice(i, min(i + SIDE, n)), slice(j, min(j + SIDE, n))


def _cells(side: Blocks, lengths: list[Tensor], rows: slice, columns: slice, order: Tensor) -> Tensor:
    """A block of every layer's centred kernel, one below the other: (layers, cells) float32."""
    r, c = order[rows], order[columns]
    found = []
    for layer, squares, shape in zip(side.layers, lengths, side.shapes, strict=True):
        distances = squared_distances(layer[r] @ layer[c].T, squares[r], squares[c])
        if isinstance(shape, Ranks):
            block = shape.of(distances)
            if rows == columns:
                block.fill_diagonal_(0)
        else:
            means, mean = shape
            if rows == columns:
                distances.fill_diagonal_(0)
            block = torch.expm1(distances.div_(-2 * side.sigma**2))
            block += (mean - means[r]).to(block).unsqueeze(1)
            block -= means[c].to(block)
        found.append(block.flatten())
    return torch.stack(found)


def _distances(layer: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    squares = layer.square().sum(dim=1)
    for rows, columns in _tiles(len(layer)):
        found = squared_distances(layer[rows] @ layer[columns].T, squares[rows], squares[columns])
        yield rows, columns, found.fill_diagonal_(0) if rows == columns else found


def _rbf(layer: Tensor, sigma: float) -> tuple[tuple[Tensor, float], float, float]:
    """Means of the rows of exp(-|a - b|^2 / (2 sigma^2)) - 1 and their mean; the squared norm of the centred kernel."""
    n = len(layer)
    sums, squares = torch.zeros(n, dtype=torch.float64), 0.0
    for rows, columns, distances in _distances(layer):
        kernel = torch.expm1(distances.div_(-2 * sigma**2)).double().cpu()
        sums[rows] += kernel.sum(dim=1)
        if rows != columns:
            sums[columns] += kernel.sum(dim=0)
        squares += (1 if rows == columns else 2) * float(kernel.square().sum())
    means = sums / n
    square = squares - 2 * n * float(means.square().sum()) + (n * float(means.mean())) ** 2
    return (means.to(layer.device), float(means.mean())), max(square, 0.0), 0.0


def _ranks(layer: Tensor, low: float, high: float) -> tuple[Ranks, float, float]:
    """The ranks of all pairs by bin, the squared norm of their n x n matrix, and what share of its length the bins lose."""
    top = float(layer.square().sum(dim=1).max()) * 4  # two samples are at most twice the longest row apart
    counts = torch.zeros(OCTAVES * 2 ** (23 - BITS) + 1, dtype=torch.int64)
    for rows, columns, distances in _distances(layer):
        bins = _bins(distances, top)
        if rows == columns:
            bins = bins[torch.ones_like(bins, dtype=torch.bool).tril(-1)]
        bins = bins.flatten().cpu()
        counts.scatter_add_(0, bins, torch.ones_like(bins))
    held = counts.nonzero().flatten()
    count = counts[held].double()
    ends = count.cumsum(0)
    mid = ends - (count - 1) / 2
    (below, wide_below), (above, wide_above) = (_quantile(mid, count, ends, share) for share in (low, high))
    if above > below:
        values = mid.clamp(below, above)
    else:  # as in `kernels.clipped`
        beyond = mid > above
        values = (beyond if beyond.any() else mid >= above).to(mid)
    pairs = float(ends[-1])
    values -= (values * count).sum() / pairs
    square = float((count * values.square()).sum())
    # Of a window, its edges may each lie anywhere in their bins.
    edges = pairs**0.5 * ((wide_below if low > 0 else 0) + (wide_above if high < 1 else 0)) / 2
    lost = float(((count**3 - count) / 12).sum()) ** 0.5 + edges
    table, first = torch.zeros(int(held[-1] - held[0]) + 1), int(held[0])
    table[held - first] = values.float()
    return Ranks(table.to(layer.device), first, top), 2 * square, lost / max(square, 1e-300) ** 0.5


def _bins(distances: Tensor, top: float) -> Tensor:
    """The bin of each squared distance: the leading bits of its share of `top`, counted from the smallest told apart."""
    lowest = 2.0**-OCTAVES
    bits = (distances / top).clamp_(lowest, 1).float().view(torch.int32)
    return (bits - torch.tensor(lowest).view(torch.int32)).bitwise_right_shift_(BITS).long()


def _quantile(mid: Tensor, count: Tensor, ends: Tensor, share: float) -> tuple[float, float]:
    """The linear quantile of all ranks, and the number of pairs in its bin."""
    place = share * (float(ends[-1]) - 1)
    places = torch.tensor([int(place), min(int(place) + 1, int(ends[-1]) - 1)], dtype=torch.float64)
    first, second = torch.searchsorted(ends, places, right=True).tolist()
    value = mid[first] + (place - int(place)) * (mid[second] - mid[first])
    return float(value), float(torch.maximum(count[first], count[second]))
