"""Alignment at several densities of captions, item by item, so that levels are compared on the same items (figure 9)."""

import numpy as np
import pandas as pd
import torch

from prh.alignment.align import best_pair
from prh.alignment.calibration import interval, null_maxima, one_layer, permutations, resampled, summarise
from prh.alignment.metrics import layer_state, pair_scores, sample_scores
from prh.sources.caption_levels import is_control
from prh.tables import DENSITY, MEAN

METRIC = "mutual_knn"  # the paper's


def density_rows(facts, language, vision, trained, k, draws):
    """The rows of one language model at one level, and the mean over trained vision models item by item.

    Parameters
    ----------
    facts: dataset, level, words, language model, for all rows.
    language: the language model's neighbour table (layers, n, k) at this level.
    vision: neighbour tables (layers, n, k) by name, of the same items.
    trained: names of those whose mean is taken.
    draws: permutations, alpha, resamples, confidence, seed.

    Returns rows (dicts), a row per vision model and one of the mean, and each sample's share in that mean, (n,). The null
    permutes the items and takes the best layers anew, the same permutations for all, so that the mean has its own null.

    """
    x, n = layer_state(METRIC, language, k), language.shape[1]
    facts = facts | {"chance": k / (n - 1)}
    names, tables = list(vision), list(vision.values())
    ends = np.cumsum([len(table) for table in tables])
    y = layer_state(METRIC, torch.cat(tables), k)
    starts = [0, *ends[:-1].tolist()]
    scores = pair_scores(x, y).numpy()
    orders = permutations(n, draws.permutations, draws.seed)
    null = null_maxima(x, y, orders, (0,), starts)[:, 0]
    rows, shares = [], {}
    for place, (name, start, end) in enumerate(zip(names, starts, ends.tolist(), strict=True)):
        best = best_pair(scores[:, start:end])
        pair = one_layer(x, best.layer_x), one_layer(y, start + best.layer_y)
        shares[name] = sample_scores(*pair).numpy()
        layers = {"layer_x": best.layer_x, "layer_y": best.layer_y}
        rows.append(facts | {"vision": name} | layers | _summary(shares[name], null[:, place], draws))
    taken = [names.index(name) for name in trained]
    share = np.mean([shares[name] for name in trained], axis=0)
    rows.append(facts | {"vision": MEAN} | _summary(share, null[:, taken].mean(axis=1), draws))
    return rows, share


def density_table(rows, shares, draws):
    """All rows as the table, with each level's step in the means from the one before, the control left out, item by item.

    shares: (language model, level) -> shares (n,), in the order of the levels.
    """
    table = pd.DataFrame(rows)
    steps, before = {}, {}
    for (model, level), share in shares.items():
        if model in before:
            steps[model, level, MEAN] = _interval(share - before[model], draws)
        if not is_control(level):
            before[model] = share
    keys = zip(table.language, table.level, table.vision, strict=True)
    found = np.array([steps.get(key, (np.nan,) * 3) for key in keys])
    columns = dict(zip(("step", "step_low", "step_high"), found.T, strict=True))
    return table.assign(**columns).astype({"layer_x": "Int64", "layer_y": "Int64"})[DENSITY]


def _summary(share, null, draws):
    score, low, high = _interval(share, draws)
    found = summarise(score, null, draws.alpha)
    numbers = {name: float(found[name]) for name in ("null_mean", "tau", "p_value")}
    return {"score": score, "ci_low": low, "ci_high": high} | numbers


def _interval(share, draws):
    """The mean of shares (n,), and its interval over items drawn with replacement."""
    score = float(share.mean())
    values = resampled(share, draws.resamples, draws.seed)
    return (score, *interval(score, values, draws.confidence))
