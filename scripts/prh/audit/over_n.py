"""What the table of alignment over n, and its figure, should be; and one part of the items measured again by plain definitions."""

import math

import numpy as np
import torch

from prh.audit.definitions import Prepared, null_of_mutual_knn, ranked, tail
from prh.audit.samples import TIES, differs
from prh.features.layers import read_features
from prh.figures.comparison import HERE
from prh.tables import FIXED, MEAN, SHARE, read_table

ROUNDING = 1e-9
LARGEST = 1024  # items of a part that is measured again


def over_n_table(run, artifact):
    """Each pair at each part by both rules, once, in order; scores, thresholds and p-values that can be, and follow from each other."""
    table, params = read_table(run.path(artifact)), run.params(artifact)
    items = int(table.n.max())
    parts = [(n, draw) for n in [*params["sizes"], items] for draw in range(min(params["draws"], items // n))]
    asked = [
        (x, y, rule, n, draw) for x, y in params["pairs"] for n, draw in parts for rule in (FIXED, SHARE)
    ]
    found = table[["model_x", "model_y", "rule", "n", "draw"]].itertuples(index=False, name=None)
    if list(found) != asked:
        yield "holds other pairs or parts than the rule asked for"
    wanted = [
        params["k"] if row.rule == FIXED else max(1, round(params["share"] * row.n))
        for row in table.itertuples()
    ]
    if table.k.tolist() != wanted:
        yield "a number of neighbours is not that of its rule"
    elif not np.allclose(table.chance, table.k.astype(float) / (table.n - 1)):
        yield "a chance is not k / (n - 1)"
    shares = table[
        ["score", "ci_low", "ci_high", "null_mean", "tau", "calibrated_score", "fixed_layers_score"]
    ]
    if not ((shares >= 0) & (shares <= 1)).all(axis=None) or (table.ci_low > table.ci_high).any():
        yield "a share lies outside 0 ... 1, or an interval is the wrong way round"
    if (table.fixed_layers_score > table.score + ROUNDING).any():
        yield "a score at fixed layers is above that of the best layers"
    again = ((table.score - table.tau) / (1 - table.tau)).clip(lower=0)
    if not np.allclose(table.calibrated_score, again, atol=ROUNDING):
        yield "a calibrated score does not follow from score and tau"
    steps = table.p_value * (params["null"]["permutations"] + 1)
    if (steps < 1 - 1e-6).any() or ((steps - steps.round()).abs() > 1e-6).any():
        yield "a p-value is none that so many permutations give"
    for source in filter(run.is_intact, run.inputs(artifact)):
        if len(read_features(run.path(source))[0][0]) != items:
            yield f"is of {items} items, {source} has others"


def over_n_figure(run, artifact):
    """Means and ranges are those of the table's draws; published means have their source and lie above their null."""
    drawn = read_table(run.path(artifact))
    ours, others = drawn[drawn.origin == HERE], drawn[drawn.origin != HERE]
    if drawn.origin.isna().any() or (others.null_mean > others.score).any():
        yield "a published mean has no source, or lies below its null"
    (source,) = (name for name in run.inputs(artifact) if run.kind(name) == "table over n")
    if not run.is_intact(source):
        return
    table = read_table(run.path(source))
    mean = table.groupby(["rule", "n", "draw"]).mean(numeric_only=True).reset_index()
    for row in ours.itertuples():
        of_pair = (
            mean
            if row.model_x == MEAN
            else table[(table.model_x == row.model_x) & (table.model_y == row.model_y)]
        )
        draws = of_pair[(of_pair.rule == row.rule) & (of_pair.n == row.n)]
        pairs = [(row.score, draws.score.mean()), (row.calibrated_score, draws.calibrated_score.mean())]
        pairs += [(row.null_mean, draws.null_mean.mean()), (row.draws, len(draws))]
        if len(draws) > 1:
            pairs += [(row.low, draws.score.min()), (row.high, draws.score.max())]
        if not all(math.isclose(mine, there, abs_tol=ROUNDING) for mine, there in pairs):
            yield f"{row.model_x}, {row.model_y}, {row.rule} at n = {row.n} is not what the draws of {source} give"


def sample(run, artifact, rng):
    """One part of the items: neighbours ranked, all layer pairs, and the whole null, from the features."""
    table, params = read_table(run.path(artifact)), run.params(artifact)
    small = table[table.n <= max(LARGEST, table.n.min())]
    row = small.iloc[int(rng.integers(len(small)))]
    items, n, seed = int(table.n.max()), int(row.n), params["null"]["seed"]
    order = np.random.default_rng(seed).permutation(items)
    places = np.sort(order[row.draw * n : (row.draw + 1) * n])
    sides = []
    for model in (row.model_x, row.model_y):
        (source,) = (name for name in run.inputs(artifact) if name.endswith(f"/{model}.safetensors"))
        raw = [values[places] for values in read_features(run.path(source))[0]]
        layers = Prepared(raw, params["clamp"], params["concatenate"])
        sides.append(np.stack([ranked(layers[i], int(row.k)) for i in range(len(layers))]))
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(n, generator=generator).numpy() for _ in range(params["null"]["permutations"])]
    best = null_of_mutual_knn(*sides, int(row.k), [np.arange(n)])[0]
    mean, tau, _ = tail(best, null_of_mutual_knn(*sides, int(row.k), orders), params["null"]["alpha"])
    what = f"{row.model_x}, {row.model_y}, {row.rule}, n = {n}, draw {row.draw}"
    reasons = []
    for column, value in {"score": best, "null_mean": mean, "tau": tau}.items():
        reasons += differs(f"{column} of {what}", row[column], value, abs_tol=TIES)
    return reasons, f"{what}: measured again, with {len(orders)} permutations"
