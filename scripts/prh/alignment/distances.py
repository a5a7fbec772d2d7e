"""What is made of the distances of all pairs of samples: kernels of their ranks, whole or in windows, and spanning trees."""

from functools import lru_cache

import torch
from torch import Tensor

from prh.alignment.blocks import Blocks, make_blocks, squared_distances
from prh.alignment.kernels import DENSE_LIMIT, Kernels, diagonal_cells
from prh.alignment.largest import in_order
from prh.alignment.neighbors import centre, gram
from prh.alignment.trees import Trees, make_trees, tree_of

# Of a row's length: what rounding makes of two equal rows, and a margin.
SAME_ROW = 4 * torch.finfo(torch.float32).eps


def of_distances(
    layers: list[Tensor], windows: list[tuple[float, float]], trees: bool = False
) -> tuple[list[Kernels | Blocks], Trees | None]:
    """The kernels of ranks of the distances of prepared layers (n, d_l), for each of some windows, and if asked their spanning trees.

    windows: quantiles l < u; ranks below the one are as low as it, those above the other as high (the geo-topological transform
        of Lin and Kriegeskorte 2023, arXiv:2309.11028); (0, 1) leaves them as they are.
    A layer's distances are found, and ranked, once for all. Above DENSE_LIMIT samples no matrix is kept; see the modules `blocks` and
    `trees`. Raises InputError for a layer that has no tree.
    """
    n = len(layers[0])
    if n > DENSE_LIMIT:
        centred = [centre(layer) for layer in layers] if windows else []
        kernels = [make_blocks(centred, "ranks", window=window) for window in windows]
        return kernels, make_trees(tree_of(*layer) for layer in enumerate(layers)) if trees else None
    vectors = [layers[0].new_zeros(len(layers), n * (n + 1) // 2) for _ in windows]
    squares = torch.zeros(len(windows), len(layers), dtype=torch.float64, device=layers[0].device)
    grown = []
    for number, layer in enumerate(layers):
        apart = pair_distances(layer)
        if trees:
            grown.append(tree_of(number, layer, apart))
        if windows:
            ranks, places = _ranks(apart)
            for vector, square, window in zip(vectors, squares, windows, strict=True):
                square[number] = _fill(vector[number], ranks, places, window)
    kernels = [Kernels(n, vector, square) for vector, square in zip(vectors, squares, strict=True)]
    return kernels, make_trees(grown) if trees else None


def pair_distances(layer: Tensor) -> Tensor:
    """The squared distances of the rows of a layer (n, d): (n, n) float64, 0 with itself.

    Computed in double precision, since ranks tell distances apart that hardly differ; rows that differ by no more than
    rounding (`SAME_ROW`) have none, so that a window of the nearest pairs does not rank noise.
    """
    layer = layer.double()
    least = layer.square().sum(dim=1) * SAME_ROW**2
    products = gram(centre(layer))
    lengths = products.diagonal()
    found = squared_distances(products, lengths, lengths)
    found *= found >= least + least.unsqueeze(1)
    return found.fill_diagonal_(0)


def _ranks(squares: Tensor) -> tuple[Tensor, Tensor]:
    """Mid-ranks (Kriegeskorte et al. 2008) of the distances of all pairs, float64, in rising order, and the pairs' places in a kernel's vector.

    Distances (n, n) count as float32, which says what is equal.
    """
    cells, places = _pairs(len(squares), squares.device)
    rising, order = in_order(squares.flatten().index_select(0, cells).float())
    _, counts = torch.unique_consecutive(rising, return_counts=True)
    ranks = (counts.cumsum(0).double() - (counts - 1) / 2).repeat_interleave(counts)
    return ranks, places.index_select(0, order)


def _fill(vector: Tensor, ranks: Tensor, places: Tensor, window: tuple[float, float]) -> Tensor:
    """Write the unit kernel of a window's ranks; the kernel's squared norm."""
    within = clipped(ranks, ranks, *window)
    within = within - within.mean()
    square = 2 * within.square().sum()
    if square > 0:
        within *= (2 / square).sqrt()
    vector.scatter_(0, places, within.to(vector))
    return square


def clipped(values: Tensor, ascending: Tensor, low: float, high: float) -> Tensor:
    """Values clipped to a window of the quantiles of `ascending`, the same in order.

    Where so many are equal that both ends are one value, what lies beyond it is 1, or else what reaches it: the limit.
    """
    below, above = quantile(ascending, low), quantile(ascending, high)
    if above > below:
        return values.clamp(below, above)
    beyond = values > above
    return (beyond if beyond.any() else values >= above).to(values)


def quantile(ascending: Tensor, share: float) -> float:
    """The linear quantile of values in order."""
    place = share * (len(ascending) - 1)
    below = int(place)
    above = min(below + 1, len(ascending) - 1)
    return float(ascending[below] + (place - below) * (ascending[above] - ascending[below]))


@lru_cache(maxsize=2)
def _pairs(n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Each pair of two samples: its position in a flattened (n, n) matrix, and in the lower half with the diagonal, row by row."""
    rows, columns = torch.tril_indices(n, n, -1, device=device)
    half = torch.ones(n * (n + 1) // 2, dtype=torch.bool, device=device)
    half[diagonal_cells(n, device)] = False
    return rows * n + columns, half.nonzero().flatten()
