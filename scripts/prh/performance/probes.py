"""Linear probes: what can be read from features by ridge regression, one class against all others.

One eigendecomposition of the training items serves all penalties and all tasks on the same items: with x = U diag(sqrt(s)) V' the
fitted values under the penalty p are U diag(s / (s + p)) U'y, and those of an item left out follow from them (Hastie, Tibshirani,
Friedman 2009, section 7.10). Features are standardised; an item is given the class whose fitted value is highest over the class's
share in training, so that classes of few items count as much as others.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from prh.errors import InputError

SMALL = 1e-10  # eigenvalues below this share of the highest are rounding


class Basis(NamedTuple):
    """Standardised training items in their principal axes: u (n, r), the same of held-out items (m, r), eigenvalues s (r,)."""

    u: Tensor
    held: Tensor
    s: Tensor


def held_out(features, labels, parts, penalties, device="cpu"):
    """The class that a probe of the other parts gives each item, and the penalty that it chose.

    Parameters
    ----------
    features: (n, d), of the items that the tasks have in common.
    labels: (n, tasks) int, classes from 0 on.
    parts: (n,) int, the part that each item is in.
    penalties: multiples of the mean squared length of a standardised item, which is d.

    Returns
    -------
    two arrays (n, tasks): the class, int; the penalty, chosen by the balanced accuracy of leaving out one training item after the
    other, so that no held-out item has a say in it.

    """
    x = torch.as_tensor(features, device=device).double()
    if not x.isfinite().all():
        raise InputError(
            f"row {int((~x.isfinite()).any(dim=1).nonzero()[0])}: NaN or infinite; remove it to have it made again"
        )
    predicted, chosen = np.zeros(labels.shape, dtype=np.int64), np.zeros(labels.shape)
    for part in np.unique(parts):
        held = parts == part
        if held.all():
            raise InputError("all items of a task are in one part; use more items or fewer folds")
        train = torch.from_numpy(~held).to(device)
        basis = decompose(x[train], x[~train])
        for task, column in enumerate(labels.T):
            classes, penalty = _probe(
                basis, torch.from_numpy(column[~held]).to(device), penalties, x.shape[1]
            )
            predicted[held, task], chosen[held, task] = classes.cpu().numpy(), penalty
    return predicted, chosen


def decompose(train: Tensor, held: Tensor) -> Basis:
    """Standardise by the training items, and rotate to their principal axes; by the smaller of the two Gram matrices."""
    mean, spread = train.mean(dim=0), train.std(dim=0, correction=0)
    spread = torch.where(spread > 0, spread, 1)
    train, held = (train - mean) / spread, (held - mean) / spread
    wide = train.shape[1] > train.shape[0]
    s, axes = torch.linalg.eigh(train @ train.T if wide else train.T @ train)
    kept = s > SMALL * s[-1].clamp(min=torch.finfo(s.dtype).tiny)
    s, axes = s[kept], axes[:, kept]
    if wide:
        return Basis(axes, held @ (train.T @ axes) / s, s)
    return Basis(train @ axes / s.sqrt(), held @ axes / s.sqrt(), s)


def _probe(basis, labels, penalties, width):
    """Classes of the held-out items (m,) under the penalty that leaving out one item finds best, and that penalty."""
    u, held, s = basis
    names, codes = labels.unique(return_inverse=True)
    wanted = torch.nn.functional.one_hot(codes).to(u.dtype)
    share = wanted.mean(dim=0)
    inner = u.T @ (wanted - share)
    best = None
    for penalty in penalties:
        shrunk = s / (s + penalty * width)
        residual = wanted - share - u @ (shrunk[:, None] * inner)
        left_out = wanted - residual / (1 - 1 / len(u) - u.square() @ shrunk)[:, None]
        hits = (left_out / share).argmax(dim=1) == codes
        score = float((wanted * hits[:, None]).sum(dim=0).div(wanted.sum(dim=0)).mean())
        if best is None or score > best[0] + 1e-12:
            best = score, penalty, shrunk
    _, penalty, shrunk = best
    return names[((share + held @ (shrunk[:, None] * inner)) / share).argmax(dim=1)], penalty
