"""Nearest neighbours: finding them, and the cache file that holds them.

Neighbours are taken by inner product of L2-normalised features, the sample itself excluded (Huh et al. 2024,
appendix A). With c = x - mean, x_i . x_j = c_i . c_j + h_i + h_j + 1 for h = (|x|^2 - |c|^2 - 1) / 2, so that each row is
ranked by c_i . c_j + h_j: small numbers, which float32 still tells apart where samples hardly differ. Equal similarities
are ordered by sample index. No matrix larger than block x block is ever held.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.linalg import get_blas_funcs
from torch import Tensor

from prh.alignment.largest import largest, split, with_further
from prh.alignment.preprocess import in_cache
from prh.errors import InputError
from prh.features.tensors import read_tensors, write_tensors

BLOCK = 2048  # rows and columns of the largest similarity matrix held: 16 MiB, which larger ones are no faster than
STRIP = 256  # rows per product of a symmetric matrix
NARROW = 16  # rows of a factor: products of fewer are rounded in another way, and equal samples would differ
OFF_CENTRE = 1e-6  # a mean's rounding, against the rows' length, from which on it is taken off once more
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
    if torch.get_num_threads() == 1:  # SciPy's BLAS has a product of half the matrix, and threads of its own
        (half,) = get_blas_funcs(["syrk"], [x.numpy()])
        out = torch.from_numpy(half(1.0, x.numpy().T, trans=1).T)
    else:
        out = x.new_empty(n, n)
        for start in range(0, n, STRIP):
            rows = slice(start, start + STRIP)
            torch.mm(x[rows], x[: start + STRIP].T, out=out[rows, : start + STRIP])
    for start in range(0, n, STRIP):
        rows = slice(start, start + STRIP)
        out[:start, rows] = out[rows, :start].T
        square = out[rows, rows]
        square.copy_(square.tril() + square.tril(-1).T)
    return out


def centre(x: Tensor) -> Tensor:
    """x (n, d) less its mean."""
    return _centred(x)[0]


def _centred(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """x (n, d) less its mean, and the squared lengths of its rows before and after."""
    n = len(x)
    mean = torch.mv(x.T, x.new_ones(n)) / n
    out, before, after = torch.empty_like(x), x.new_empty(n), x.new_empty(n)
    for rows, centred, was, length in in_cache(x, out, before, after):
        torch.sub(rows, mean, out=centred)
        torch.linalg.vector_norm(rows, dim=1, out=was)
        torch.linalg.vector_norm(centred, dim=1, out=length)
    # The mean's rounding counts where samples hardly differ; the mean of what is left has next to none.
    rounding = mean.norm() * n**0.5 * torch.finfo(x.dtype).eps
    if bool(rounding > OFF_CENTRE * after.norm() / n**0.5):
        out -= out.mean(dim=0)
        after = torch.linalg.vector_norm(out, dim=1)
    return out, before.square_(), after.square_()


def nearest_neighbors(x: Tensor, k: int, block: int = BLOCK) -> Tensor:
    """The k nearest neighbours of every row of x (n, d) by inner product: (n, k) int32, nearest first.

    The row itself is excluded; of equally similar rows the one of lower index comes first. At most
    block x block similarities are held at a time. Raises InputError if n < k + 2.
    """
    return rank(x, k, block).ids


def rank(x: Tensor, k: int, block: int = BLOCK) -> Ranking:
    """As `nearest_neighbors`, with the similarities; what is ranked for a large k holds every smaller one."""
    check_k(k, len(x))
    x, h, squares = ranked_by(x)
    if len(x) <= block:
        found = largest(_with_equal_columns(gram(x), x, h).add_(h).fill_diagonal_(-torch.inf), k)
    else:
        found = _by_blocks(x, h, k, block)
    similarities, ids = split(found)
    return Ranking(ids.to(torch.int32), similarities, h, squares)


def _with_equal_columns(products: Tensor, x: Tensor, h: Tensor) -> Tensor:
    """Products (n, n) with those of equal rows of x made equal: a product of half a matrix is rounded by where a row stands."""
    _, kind, counts = h.unique(return_inverse=True, return_counts=True)
    repeated = (counts[kind] > 1).nonzero().flatten()
    if len(repeated):
        _, kind = x[repeated].unique(dim=0, return_inverse=True)
        first = torch.full_like(repeated, len(x)).scatter_reduce(0, kind, repeated, "amin")[kind]
        others = first != repeated
        products[:, repeated[others]] = products[:, first[others]]
    return products


def ranked_by(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """c = x - mean and h, by which rows are ranked (see the module), and the squared lengths of x's rows."""
    x, squares, own = _centred(x)
    excess = squares - 1
    return x, (excess.where(excess.abs() > LENGTH_ERROR, 0) - own) / 2, squares


def index_layers(layers: Iterable[Tensor], k: int, block: int = BLOCK) -> Tensor:
    """The neighbour table of one model: (layers, n, k) int32 from its prepared layers, on the CPU; `preprocess.prepared` gives them."""
    tables = [nearest_neighbors(layer, k, block).cpu() for layer in layers]
    if not tables:
        raise InputError("no layers: give at least one (n, d) feature matrix")
    return torch.stack(tables)


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


def _by_blocks(x: Tensor, h: Tensor, k: int, block: int) -> Tensor:
    """The k largest similarities of each row, as `largest` gives them."""
    blocks, found = slices(0, len(x), block), {}
    for i, rows in enumerate(blocks):
        for columns in blocks[: i + 1]:
            compare(x, h, rows, columns, k, found)
    return torch.cat([found[rows.start] for rows in blocks])


def slices(first: int, last: int, step: int) -> list[slice]:
    """Rows first ... last - 1 in slices of so many."""
    return [slice(start, min(start + step, last)) for start in range(first, last, step)]


def compare(x: Tensor, h: Tensor, a: slice, b: slice, k: int, found: dict[int, Tensor]) -> None:
    """Rank the rows b of x for each of its rows a, and those of a for each of b: their products serve both sides.

    x, h: of `ranked_by`. found: what `largest` has found so far for each slice, by its first row; it is brought up to date.
    """
    wide_a, wide_b = (slice(max(0, min(each.start, each.stop - NARROW)), each.stop) for each in (a, b))
    products = (x[wide_a] @ x[wide_b].T)[a.start - wide_a.start :, b.start - wide_b.start :].contiguous()
    if a == b:
        products.fill_diagonal_(-torch.inf)
    for rows, columns, part in [(a, b, products)] + [(b, a, products.T)] * (a != b):
        known, start = found.get(rows.start), columns.start
        if known is None:
            found[rows.start] = largest(part + h[columns], k, start)
        else:
            found[rows.start] = with_further(known, part, h[columns], start)
