"""The largest values of each row of a float32 matrix, also of one that comes in blocks of columns; and values in order.

Largest first, and of equal ones the lower column first, so that nothing depends on the machine's sorting. What is below a bound that the
largest reach is never sorted; the rest as whole numbers, value before column, for which NumPy's sort has vector instructions.
"""

import numpy as np
import torch
from torch import Tensor

GROUPS = 4  # of columns, for each value wanted: with more the bound is closer, and takes longer
COLUMN = 2**32 - 1  # the lower half of a number
ROUNDING = 1e-6  # of a sum of two float32, generously
SOME = 1 / 64  # of a block's values: to pick more takes longer than to add to all


def largest(matrix: Tensor, count: int, start: int = 0) -> Tensor:
    """The `count` largest of each row of a matrix (n, width) as whole numbers, (n, count); `split` tells their values and columns.

    start: the number of its first column. Where a row has fewer values that are finite, NOTHING stands for the rest.
    """
    width = matrix.shape[1]
    groups, inner = min(width, GROUPS * count), min(width, count)
    # The maxima of groups are different values of the row: so many are no smaller than the count-th of them.
    tops = matrix[:, : width // groups * groups].unflatten(1, (-1, groups)).amax(dim=1)
    chosen = _at_least(matrix, _smallest_of_top(tops, inner))
    return _sorted(_picked(matrix, chosen, start, fewest=count))[:, :count]


def with_further(found: Tensor, matrix: Tensor, added: Tensor, start: int) -> Tensor:
    """What `largest` found of other columns, as it is with those of a further block of them, which begins at column `start`.

    The block's values are the matrix (n, width) and, in every row, `added` (width,). They are added up only where they may be among the
    largest, which most are not.
    """
    least = split(found[:, -1:])[0]
    bound = least - added.max()
    bound -= ROUNDING * (least.abs() + added.abs().max())
    chosen = _at_least(matrix, bound)
    if chosen.count_nonzero() > SOME * matrix.numel():
        matrix, added = matrix + added, torch.zeros_like(added)
        chosen = _at_least(matrix, least)
    return merged(found, _picked(matrix, chosen, start, added))


def merged(found: Tensor, further: Tensor) -> Tensor:
    """What `largest` found (..., count), as it is with what it found of further columns."""
    return (
        _sorted(torch.cat([found, further], dim=-1))[..., : found.shape[-1]] if further.shape[-1] else found
    )


def split(found: Tensor) -> tuple[Tensor, Tensor]:
    """The values, float32, and the columns, int64, of what `largest` found."""
    return _mirrored((~found >> 32).to(torch.int32)).view(torch.float32), found & COLUMN


def in_order(values: Tensor) -> tuple[Tensor, Tensor]:
    """Values (n,) float32 in rising order, equal ones as they come, and their places, int64."""
    falling, places = split(_sorted(_numbers(-values, torch.arange(len(values), device=values.device))[None]))
    return -falling[0], places[0]


def _numbers(values: Tensor, columns: Tensor | int) -> Tensor:
    """Whole numbers that rise as values fall and, of equal ones, as columns rise."""
    return (~_mirrored((values + 0.0).view(torch.int32))).long() << 32 | columns  # + 0: -0 is 0


def _mirrored(bits: Tensor) -> Tensor:
    """The bits of float32 values as whole numbers in the same order, and back: of negative values all but the sign turned."""
    return bits ^ ((bits >> 31) & (2**31 - 1))


def _sorted(numbers: Tensor) -> Tensor:
    on_gpu = numbers.is_cuda
    return numbers.sort(dim=-1).values if on_gpu else torch.from_numpy(np.sort(numbers.numpy(), axis=-1))


def _smallest_of_top(matrix: Tensor, count: int) -> Tensor:
    """The count-th largest of each row: (n, 1)."""
    if matrix.is_cuda:
        return matrix.topk(count, dim=1).values[:, -1:]
    return torch.from_numpy(np.partition(matrix.numpy(), -count, axis=1)[:, -count, None])


def _at_least(matrix: Tensor, least: Tensor) -> Tensor:
    """Where a matrix is no less than its row's least, lying in memory as the matrix does."""
    if matrix.is_cuda:
        return matrix >= least
    return torch.from_numpy(np.greater_equal(matrix.numpy(), least.numpy()))  # NumPy looks faster


def _picked(
    matrix: Tensor, chosen: Tensor, start: int, added: Tensor | None = None, fewest: int = 0
) -> Tensor:
    """What is chosen of a matrix, and what is added to its column, as whole numbers: (n, most of a row), filled up with NOTHING.

    A matrix that is the transpose of what lies in memory is looked at as it lies there.
    """
    n, turned = len(matrix), not matrix.is_contiguous() and matrix.T.is_contiguous()
    held, chosen = (matrix.T, chosen.T) if turned else (matrix, chosen)
    if matrix.is_cuda:
        places = chosen.flatten().nonzero().flatten()
    else:
        places = torch.from_numpy(np.flatnonzero(chosen.numpy()))
    values = held.reshape(-1).index_select(0, places)
    rows, columns = places // held.shape[1], places % held.shape[1]
    if turned:
        columns, (rows, order) = rows, columns.sort(stable=True)
        columns, values = columns.index_select(0, order), values.index_select(0, order)
    if added is not None:
        values += added.index_select(0, columns)
    counts = torch.bincount(rows, minlength=n)
    most = max(fewest, int(counts.max()))
    out = torch.full((n * most,), NOTHING, device=matrix.device)
    shift = torch.arange(n, device=matrix.device) * most - (counts.cumsum(0) - counts)
    at = torch.arange(len(rows), device=matrix.device) + shift.index_select(0, rows)
    out[at] = _numbers(values, columns + start).where(values > -torch.inf, NOTHING)
    return out.view(n, most)


NOTHING = int(_numbers(torch.tensor([-torch.inf]), COLUMN))  # minus infinity, in no column
