"""How far apart two language models of one tokenizer are as distributions: by their log-likelihoods of the same labels.

d_logit (arXiv:2602.15438): the root of the mean over inputs of the squared length of the difference of log-likelihoods, each centred
over the labels. d_LLV (Nielsen et al. 2025, arXiv:2506.03784): the largest standard deviation of the difference of two models'
log-likelihoods in units of their own spread against a pivot, over inputs (t1) and, labels and inputs exchanged, over labels (t2).
Both are distances, 0 for equal distributions, without an upper end; there is no permutation null, since inputs are not what they relate.
"""

import numpy as np
import torch

from prh.alignment.calibration import resampled
from prh.errors import InputError

WEIGHT = 1e-5  # of what differs in the spreads themselves, t3 and t4: the paper's


def squared_distances(a, b):
    """Of each input the squared length of the difference of two models' log-likelihoods (n, labels), centred over labels: (n,)."""
    a, b = a.double(), b.double()
    return ((a - a.mean(dim=1, keepdim=True)) - (b - b.mean(dim=1, keepdim=True))).square().sum(dim=1)


def d_logit(a, b):
    """The root of the mean of `squared_distances`."""
    return float(squared_distances(a, b).mean().sqrt())


def d_llv(a, b, dimension, seed):
    """d_LLV of two models' log-likelihoods (n, labels): {"d_llv", "t1", "t2"}.

    dimension: of the embeddings, M; t2 is the least over disjoint random sets of M + 1 inputs. Raises `InputError` for fewer inputs.
    """
    a, b, n = a.double(), b.double(), len(a)
    if n < dimension + 1:
        raise InputError(
            f"{n} inputs are too few for models of width {dimension}: {dimension + 1} are needed"
        )
    t1, t3 = min(
        (_from_pivot(a, b, pivot, leave_out=True) for pivot in range(a.shape[1])), key=lambda found: found[0]
    )
    generator = np.random.RandomState(seed)  # the official code's, for the same sets
    count = n // (dimension + 1)
    sets = generator.permutation(n)[: count * (dimension + 1)].reshape(count, dimension + 1)
    t2, t4 = min((_from_pivot(a[some].T, b[some].T, 0) for some in sets), key=lambda found: found[0])
    return {"d_llv": max(t1, t2, WEIGHT * t3, WEIGHT * t4), "t1": t1, "t2": t2}


def _from_pivot(a, b, pivot, leave_out=False):
    """(t, difference of spreads) for the columns of (n, labels) with one of them for a pivot, perhaps without the worst other."""
    others = torch.arange(a.shape[1]) != pivot
    spreads = [(side - side[:, [pivot]]).std(dim=0)[others] for side in (a, b)]
    if min(float(spread.min()) for spread in spreads) == 0:
        return float("inf"), float("inf")
    terms = torch.stack(
        [
            (a[:, columns] / spreads[0] - b[:, columns] / spreads[1]).std(dim=0)
            for columns in (others, [pivot])
        ]
    ).amax(dim=0)
    apart = (spreads[0] - spreads[1]).abs()
    if leave_out and len(terms) > 1:
        kept = torch.arange(len(terms)) != terms.argmax()
        terms, apart = terms[kept], apart[kept]
    return float(terms.max()), float(apart.max())


def intervals(a, b, resamples, confidence, seed):
    """The interval of d_logit, inputs drawn anew: {"ci_low", "ci_high"}."""
    means, tail = resampled(squared_distances(a, b).numpy(), resamples, seed), (1 - confidence) / 2
    low, high = np.quantile(np.sqrt(means), [tail, 1 - tail])
    return {"ci_low": float(low), "ci_high": float(high)}
