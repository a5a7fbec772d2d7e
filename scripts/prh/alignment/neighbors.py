"""Nearest neighbours: finding them, and the cache file that holds them.

Neighbours are taken by inner product of L2-normalised features, the sample itself excluded (Huh et al. 2024,
appendix A). With c = x - mean, x_i . x_j = c_i . c_j + h_i + h_j + 1 for h = (|x|^2 - |c|^2 - 1) / 2, so that each row is
ranked by c_i . c_j + h_j: small numbers, which float32 still tells apart where samples hardly differ. Equal similarities
are ordered by sample index, so that a table does not depend on the machine's sorting. No matrix larger than
block x block is ever held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from prh.errors import InputError
from prh.features.tensors import read_tensors, write_tensors

BLOCK = 4096  # rows and columns of the largest similarity matrix held: 64 MiB
STRIP = 256  # rows per product of a symmetric matrix
LENGTH_ERROR = 1e-5  # a squared length so near to 1 is 1: its rounding would move neighbours
FORMAT = "prh-neighbors 1"


@dataclass(frozen=True)
class Ranking:
    """The k nearest neighbours of every row of a layer, nearest first, and by what they were ranked; see the module.

    ids: (n, k) int32; similarities: their c_i . c_j + h_j, (n, k); h, and the rows' squared lengths: (n,).
    """

    ids: Tensor
    similarities: Tensor
    h: Tensor
    squares: Tensor

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.ids)


def check_k(k: int, n: int) -> None:
    """Raise InputError unless k is a whole number with 1 <= k <= n - 2."""
    if not isinstance(k, (int, np.integer)) or isinstance(k, bool) or k < 1:
        raise InputError(f"k = {k!r}: the number of neighbours must be a whole number of at least 1")
    if n < k + 2:
        raise InputError(f"{n} samples are too few for k = {k}: at least k + 2 = {k + 2} are needed")


def gram(x: Tensor) -> Tensor:
    """The (n, n) matrix of inner products of the rows of x (n, d), computing each symmetric half once."""
    n = len(x)
    if n <= STRIP or x.is_cuda:
        return x @ x.T
    out = x.new_empty(n, n)
    for start in range(0, n, STRIP):
        stop = min(start + STRIP, n)
        torch.mm(x[start:stop], x[:stop].T, out=out[start:stop, :stop])
        out[:start, start:stop] = out[start:stop, :start].T
    return out


def centre(x: Tensor) -> Tensor:
    """x (n, d) less its mean."""
    once = x - x.mean(dim=0)
    return once.sub_(once.mean(dim=0))  # the mean of x has an error of float32, its own mean has next to none


def nearest_neighbors(x: Tensor, k: int, block: int = BLOCK) -> Tensor:
    """The k nearest neighbours of every row of x (n, d) by inner product: (n, k) int32, nearest first.

    The row itself is excluded; of equally similar rows the one of lower index comes first. At most
    block x block similarities are held at a time. Raises InputError if n < k + 2.
    """
    return rank(x, k, block).ids


def rank(x: Tensor, k: int, block: int = BLOCK) -> Ranking:
    """As `nearest_neighbors`, with the similarities; what is ranked for a large k holds every smaller one."""
    check_k(k, len(x))
    squares = x.square().sum(dim=1)
    excess = squares - 1
    x = centre(x)
    h = (excess.where(excess.abs() > LENGTH_ERROR, 0) - x.square().sum(dim=1)) / 2
    # One candidate more than asked for shows whether the last place is tied.
    if len(x) <= block:
        similarities = gram(x).add_(h).fill_diagonal_(-torch.inf)
        values, ids = similarities.topk(k + 1, dim=1)
    else:
        values, ids = _streamed_top(x, h, k + 1, block)
    tied = (values[:, :-1] == values[:, 1:]).any(dim=1).nonzero().flatten()
    for rows in tied.split(max(1, block * block // len(x))):
        products = similarities[rows] if len(x) <= block else _rows_without_self(x, h, rows)
        ordered = products.sort(dim=1, descending=True, stable=True)
        values[rows], ids[rows] = ordered.values[:, : k + 1], ordered.indices[:, : k + 1]
    return Ranking(ids[:, :k].to(torch.int32), values[:, :k].contiguous(), h, squares)


def index_layers(layers: Sequence[Tensor], k: int, block: int = BLOCK) -> Tensor:
    """The neighbour table of one model: (layers, n, k) int32 from its prepared layers, on the CPU."""
    if len(layers) == 0:
        raise InputError("no layers: give at least one (n, d) feature matrix")
    return torch.stack([nearest_neighbors(layer, k, block).cpu() for layer in layers])


def write_index(path: str | Path, ids: Tensor, metadata: dict) -> None:
    """Write a neighbour table (layers, n, k) int32, and what it is of."""
    write_tensors(path, {"neighbors": ids.to("cpu", torch.int32)}, FORMAT, metadata)


def read_index(path: str | Path) -> tuple[Tensor, dict]:
    """Read a neighbour table: ids (layers, n, k) int32 and the metadata it was written with.

    Raises InputError, naming the file, where it is missing, damaged, or not a neighbour table.
    """
    tensors, metadata = read_tensors(path, FORMAT)
    if list(tensors) != ["neighbors"]:
        raise InputError(f"{path}: a neighbour table has one tensor `neighbors`, found {', '.join(tensors)}")
    _check_table(path, tensors["neighbors"])
    return tensors["neighbors"], metadata


def _check_table(path: str | Path, ids: Tensor) -> None:
    if ids.ndim != 3 or ids.dtype != torch.int32 or 0 in ids.shape:
        raise InputError(
            f"{path}: neighbours must be (layers, n, k) int32, found {tuple(ids.shape)} {ids.dtype}"
        )
    if int(ids.min()) < 0 or int(ids.max()) >= ids.shape[1]:
        raise InputError(f"{path}: neighbour ids outside 0 ... {ids.shape[1] - 1}")


def _streamed_top(x: Tensor, h: Tensor, count: int, block: int) -> tuple[Tensor, Tensor]:
    """The `count` largest similarities of each row and their columns, from blocks; each product serves both sides."""
    n = len(x)
    values = x.new_full((n, count), -torch.inf)
    ids = torch.zeros((n, count), dtype=torch.int64, device=x.device)

    def merge(rows: slice, products: Tensor, first_column: int) -> None:
        top = products.topk(min(count, products.shape[1]), dim=1)
        candidates = torch.cat([values[rows], top.values], dim=1)
        columns = torch.cat([ids[rows], top.indices + first_column], dim=1)
        best = candidates.topk(count, dim=1)
        values[rows], ids[rows] = best.values, columns.gather(1, best.indices)

    for i in range(0, n, block):
        rows = slice(i, min(i + block, n))
        for j in range(0, i + 1, block):
            columns = slice(j, min(j + block, n))
            products = x[rows] @ x[columns].T
            if i == j:
                products.fill_diagonal_(-torch.inf)
            else:
                merge(columns, products.T + h[rows], i)
            merge(rows, products.add_(h[columns]), j)
    return values, ids


def _rows_without_self(x: Tensor, h: Tensor, rows: Tensor) -> Tensor:
    products = x[rows] @ x.T + h
    products[torch.arange(len(rows), device=x.device), rows] = -torch.inf
    return products
