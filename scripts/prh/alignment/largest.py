"""The largest values of each row of a float32 matrix, also of one that comes in blocks of columns; and values in order.

Largest first, and of equal ones the lower column first, so that nothing depends on the machine's sorting. What is below a bound that the
largest reach is never sorted; the rest as whole numbers, value before column, for which NumPy's sort has vector instructions.
"""

import numpy as np
import torch
from torch import Tensor

GROUPS = 4  # of columns, for each value wanted: with more the bound is closer, and takes longer
COLUMN = 2**32 - 1  # the lower half of a number


def largest(matrix: Tensor, count: int) -> Tensor:
    """The `count` largest of each row of a matrix (n, width) as whole numbers, (n, count); `split` tells their values and columns."""
    width = matrix.shape[1]
    groups, inner = min(width, GROUPS * count), min(width, count)
    # The maxima of groups are different values of the row: so many are no smaller than the count-th of them.
    tops = matrix[:, : width // groups * groups].unflatten(1, (-1, groups)).amax(dim=1)
    return _sorted(_picked(matrix, _smallest_of_top(tops, inner), or_equal=True, fewest=count))[:, :count]


def with_further(found: Tensor, matrix: Tensor, start: int) -> Tensor:
    """What `largest` found of earlier columns, as it is with those of a further block of them, which begins at column `start`."""
    better = _picked(matrix, split(found[:, -1:])[0], or_equal=False, start=start)
    return _sorted(torch.cat([found, better], dim=1))[:, : found.shape[1]] if better.shape[1] else found


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
    return numbers.sort(dim=1).values if on_gpu else torch.from_numpy(np.sort(numbers.numpy(), axis=1))


def _smallest_of_top(matrix: Tensor, count: int) -> Tensor:
    """The count-th largest of each row: (n, 1)."""
    if matrix.is_cuda:
        return matrix.topk(count, dim=1).values[:, -1:]
    return torch.from_numpy(np.partition(matrix.numpy(), -count, axis=1)[:, -count, None])


def _picked(matrix: Tensor, least: Tensor, or_equal: bool, start: int = 0, fewest: int = 0) -> Tensor:
    """What is greater than its row's least, or equal to it, as whole numbers: (n, most of a row), filled up with -infinity."""
    n, width = matrix.shape
    if matrix.is_cuda:
        places = (matrix >= least if or_equal else matrix > least).flatten().nonzero().flatten()
    else:  # NumPy looks faster
        compare = np.greater_equal if or_equal else np.greater
        places = torch.from_numpy(np.flatnonzero(compare(matrix.numpy(), least.numpy(), order="C")))
    rows = places // width
    counts = torch.bincount(rows, minlength=n)
    most = max(fewest, int(counts.max()))
    out = torch.full((n * most,), int(_numbers(torch.tensor([-torch.inf]), COLUMN)), device=matrix.device)
    shift = torch.arange(n, device=matrix.device) * most - (counts.cumsum(0) - counts)
    number = _numbers(matrix.reshape(-1).index_select(0, places), places - rows * width + start)
    out[torch.arange(len(rows), device=matrix.device) + shift.index_select(0, rows)] = number
    return out.view(n, most)
