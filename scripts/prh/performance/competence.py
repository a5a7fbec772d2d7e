"""How good a vision model is: the tasks that a probe of it solves, their scores, and how that goes with agreement between models.

A task's score is balanced accuracy, chance taken out: 0 is chance and 1 all right, whatever the classes' sizes. A model solves a task
if it has a share of the best model's score (Huh et al. 2024, figure 2: 80 % of the 78 models' best accuracy). Intervals of a model's
scores are over items, drawn anew within their class; of what is said of many models, over models, drawn anew with all their pairs,
since pairs that share a model are not independent.
"""

import itertools

import numpy as np
import pandas as pd
from scipy import stats

from prh.errors import InputError

FEWEST_PAIRS = 3  # those of two models have neither an interval over models nor a correlation


def weights_of(labels):
    """What a hit on each item adds to balanced accuracy: 1 / (classes x items of its class); labels: (n,) int."""
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return 1 / (len(counts) * counts[codes])


def chance_corrected(balanced, classes):
    """Balanced accuracy with 0 at chance, 1 / classes, and 1 at its maximum."""
    return (balanced - 1 / classes) / (1 - 1 / classes)


def task_scores(labels, predicted, resamples, permutations, rng):
    """Scores of models on a task: (models,), the same of resampled items (resamples, models), of permuted labels (permutations, models).

    labels: (n,) int; predicted: (n, models) int.
    """
    classes, hits, weights = len(np.unique(labels)), predicted == labels[:, None], weights_of(labels)
    score = chance_corrected(weights @ hits, classes)
    counts = np.zeros((resamples, len(labels)))
    for each in np.unique(labels):
        items = np.flatnonzero(labels == each)
        drawn = rng.integers(len(items), size=(resamples, len(items)))
        counts[:, items] = _counted(drawn, len(items))
    null = [_permuted(labels[order], predicted) for order in _orders(rng, permutations, len(labels))]
    return (
        score,
        chance_corrected(counts * weights @ hits, classes),
        chance_corrected(np.array(null), classes),
    )


def _permuted(labels, predicted):
    return weights_of(labels) @ (predicted == labels[:, None])


def _orders(rng, count, n):
    return (rng.permutation(n) for _ in range(count))


def _counted(drawn, n):
    """How often each of n is in each row of drawn (b, n): (b, n)."""
    rows = np.arange(len(drawn))[:, None]
    return np.bincount((rows * n + drawn).ravel(), minlength=len(drawn) * n).reshape(len(drawn), n)


def solved(scores, share, tasks=None):
    """Whether a model has at least this share of the best model's score; scores (..., models), below chance taken as chance.

    tasks: their names along the axis before the last; then `InputError` for one in which no model is above chance.
    """
    best = scores.max(axis=-1, keepdims=True)
    if tasks and not (best > 0).all():
        name = tasks[int((best <= 0).ravel().argmax())]
        raise InputError(
            f"task `{name}`: no model is above chance, so that none is its best; leave its data set out"
        )
    return scores.clip(min=0) >= share * best.clip(min=0)


def bin_of(values, edges):
    """The bin of each value, an edge belonging to the bin above it, the last one to its own."""
    return np.digitize(values, edges[1:-1])


def pair_means(score, counted, member):
    """The mean score of pairs of models, for rows of memberships: (rows,), NaN where a row has no pair.

    score: (m, m), symmetric. counted: (m, m) bool, symmetric, which pairs count, none of a model with itself. member: (rows, m),
    how often a model is in; a pair counts as often as its models together.
    """
    member = np.asarray(member, dtype=float)
    total = ((member @ np.where(counted, score, 0)) * member).sum(axis=1)
    number = ((member @ counted.astype(float)) * member).sum(axis=1)
    return np.divide(total, number, out=np.full(len(member), np.nan), where=number > 0)


def convergence(score, counted, competence, edges, resamples, confidence, rng):
    """Mean agreement within bins of competence, and its rank correlation with the lower competence of a pair: rows of a table.

    score, counted: see `pair_means`; competence: (m,). The error is the standard error over pairs. Intervals: models drawn anew.
    Nulls: the models' competences permuted.
    """
    m, tail, rows = len(competence), (1 - confidence) / 2, []
    place = bin_of(competence, edges)
    shuffled = np.stack([rng.permutation(m) for _ in range(resamples)])
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = place == number
        pairs = score[np.triu(counted & np.outer(inside, inside))]
        row = {
            "quantity": "mean alignment",
            "low": low,
            "high": high,
            "models": inside.sum(),
            "pairs": len(pairs),
        }
        if len(pairs):
            row["value"] = pairs.mean()
        if len(pairs) >= FEWEST_PAIRS:
            drawn = np.flatnonzero(inside)[rng.integers(inside.sum(), size=(resamples, inside.sum()))]
            member = np.zeros((resamples, m))
            np.add.at(member, (np.arange(resamples)[:, None], drawn), 1)
            again, null = (pair_means(score, counted, each) for each in (member, inside[shuffled]))
            row |= _summary(pairs.mean(), again, null, tail)
            row["error"] = pairs.std(ddof=1) / np.sqrt(len(pairs))
        rows.append(row)
    trend = {"quantity": "Spearman", "low": edges[0], "high": edges[-1], "models": m}
    trend["pairs"] = np.triu(counted).sum()
    if trend["pairs"] >= FEWEST_PAIRS and np.ptp(competence) > 0:
        itself, drawn = np.arange(m)[None], rng.integers(m, size=(resamples, m))
        value, again = (rank_correlations(score, counted, competence, models) for models in (itself, drawn))
        null = rank_correlations(score, counted, competence, itself, shuffled)
        trend |= _summary(value[0], again, null, tail)
    return [*rows, trend]


def _summary(value, again, null, tail):
    again, null = again[~np.isnan(again)], null[~np.isnan(null)]
    low, high = np.quantile(again, [tail, 1 - tail]) if len(again) else (np.nan, np.nan)
    found = {"value": value, "ci_low": low, "ci_high": high, "null_mean": null.mean()}
    found["null_low"], found["null_high"] = np.quantile(null, [tail, 1 - tail])
    return found | {"p_value": (1 + (null >= value - 1e-12).sum()) / (len(null) + 1)}


def rank_correlations(score, counted, competence, drawn, swapped=None):
    """Spearman's correlation of the pairs' scores with the lower competence of each, for rows of models: (rows,), NaN if there is none.

    drawn: (rows, m) the models, of which several may be one and the same. swapped: (rows, m) the models whose competence each has.
    """
    i, j = np.triu_indices(drawn.shape[1], 1)
    kept = counted[drawn[:, i], drawn[:, j]]
    values = competence[drawn if swapped is None else swapped]
    kept, x = np.broadcast_arrays(kept, score[drawn[:, i], drawn[:, j]], np.empty((len(values), 1)))[:2]
    y = np.minimum(values[:, i], values[:, j])
    ranks = [
        stats.rankdata(np.where(kept, each, np.inf), axis=1) for each in (x, y)
    ]  # those left out come last
    with np.errstate(invalid="ignore"):
        x, y = (
            np.where(kept, r - (r * kept).sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True), 0)
            for r in ranks
        )
        return (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))


def square(pairs, models, column="score"):
    """A column of a table of pairs as a symmetric matrix (m, m) in the models' order; NaN on the diagonal."""
    place = {model: i for i, model in enumerate(models)}
    found = np.full(
        (len(models), len(models)), np.nan, dtype=object if pairs[column].dtype.kind == "O" else float
    )
    i, j = pairs.model_x.map(place).to_numpy(), pairs.model_y.map(place).to_numpy()
    found[i, j] = found[j, i] = pairs[column]
    return pd.DataFrame(found, models, models)
