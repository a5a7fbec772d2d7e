"""The modality gap (Liang et al. 2022, arXiv:2203.02053): how far apart the two towers of one shared space lie, and what that does.

u, v (n, d): paired features in one space, of which only the directions count: rows are scaled to length 1. The gap is the length of
mean(u) - mean(v), in 0 ... 2; pairing is not used. It is defined within one space only: between two models' own spaces the axes are
arbitrary, and a map that fits one to the other would take away what is measured.
"""

import numpy as np
import torch
from scipy.special import logsumexp

from prh.alignment.align import measure
from prh.alignment.calibration import resampled
from prh.alignment.describe import mean_cosine
from prh.errors import InputError


def unit_rows(values):
    """Rows of (n, d) scaled to length 1, float64."""
    values = np.asarray(values, dtype=np.float64)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def gap_vector(u, v):
    """mean(u) - mean(v) of unit rows: (d,). Its length is the gap."""
    return unit_rows(u).mean(axis=0) - unit_rows(v).mean(axis=0)


def shifted(u, v, shift):
    """The rows of u moved by `shift` along the unit gap vector, towards v, and scaled to length 1 again.

    As in the official notebook of their figure 3. Raises InputError where the two means are the same: there is no direction.
    """
    gap = gap_vector(u, v)
    if not np.linalg.norm(gap) > 0:
        raise InputError("the two towers have the same mean: no gap, and no direction to shift along")
    return unit_rows(unit_rows(u) - shift * gap / np.linalg.norm(gap))


def signed_gap(u, v, direction):
    """The gap, negative where u has passed v along `direction` (d,), the gap vector before the shift."""
    gap = gap_vector(u, v)
    return float(np.copysign(np.linalg.norm(gap), gap @ direction))


def contrastive_loss(u, v, scale):
    """The loss that such models are trained with: cross-entropy of each row's partner among all, both ways, at logit scale `scale`.

    Radford et al. 2021, figure 3. Over all n pairs at once, in nats; chance is log n.
    """
    logits = scale * unit_rows(u) @ unit_rows(v).T
    diagonal = np.diag(logits)
    both = (logsumexp(logits, axis=axis) - diagonal for axis in (0, 1))
    return float(np.mean([part.mean() for part in both]))


def found_first(u, v):
    """For each row of u whether its partner is the row of v with the highest cosine, which of equal ones is none: (n,) bool."""
    cosines = unit_rows(u) @ unit_rows(v).T
    own = np.diag(cosines).copy()
    np.fill_diagonal(cosines, -np.inf)
    return own > cosines.max(axis=1)


def describe_gap(u, v, shifts, scale, k, draws):
    """Rows (dicts), one for each of `shifts` of u (images) towards v (texts): gap, cones, loss, retrieval, alignment.

    k: neighbours of mutual k-NN; draws: resamples, confidence, seed of the intervals, pairs drawn anew.
    Raises InputError where measures do, for one, for fewer than k + 2 pairs.
    """
    direction, rows, tail = gap_vector(u, v), [], (1 - draws["confidence"]) / 2
    for shift in shifts:
        moved = shifted(u, v, shift)
        gap = signed_gap(moved, v, direction)
        hits = np.stack([found_first(moved, v), found_first(v, moved)])
        again = resampled(np.vstack([(moved - unit_rows(v)).T, hits]), draws["resamples"], draws["seed"])
        gaps = np.copysign(np.linalg.norm(again[:-2], axis=0), direction @ again[:-2])
        low, high = np.quantile(np.vstack([gaps, again[-2:]]), (tail, 1 - tail), axis=-1)
        matched = (moved * unit_rows(v)).sum(axis=1).mean()
        rows.append(
            {
                "shift": shift,
                "gap": gap,
                "gap_low": low[0],
                "gap_high": high[0],
                "cosine_images": mean_cosine(torch.from_numpy(moved)),
                "cosine_texts": mean_cosine(torch.from_numpy(unit_rows(v))),
                "cosine_matched": matched,
                "cosine_unmatched": _unmatched(moved, unit_rows(v), matched),
                "loss": contrastive_loss(moved, v, scale),
                "image_to_text": hits[0].mean(),
                "image_to_text_low": low[1],
                "image_to_text_high": high[1],
                "text_to_image": hits[1].mean(),
                "text_to_image_low": low[2],
                "text_to_image_high": high[2],
                "mutual_knn": measure(moved, v, f"mutual_knn@{k}", clamp=None),
            }
        )
    return rows


def _unmatched(u, v, matched):
    """Mean cosine of rows of u and v that are no pair."""
    n = len(u)
    return float((n * n * u.mean(axis=0) @ v.mean(axis=0) - n * matched) / (n * (n - 1)))
