"""Checks of figure 2: labels, probes, its tables, and what it draws of them. See `artifacts`."""

import itertools

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from prh.features.panel import DIFFERENT, SAME_WEIGHTS, relation
from prh.performance.transfer import APART, SHARE
from prh.sources.datasets import read_captions
from prh.tables import PREDICTIONS, read_parts, read_table

ROUNDING = 1e-9


def labels(run, artifact):
    """A row per image of the data set, in its order; of a data set of classes its captions."""
    table = pd.read_parquet(run.path(artifact))
    for source in run.inputs(artifact):
        if run.kind(source) == "dataset" and run.is_intact(source):
            pairs = read_captions(run.path(source))
            if table.id.tolist() != pairs.id.tolist():
                yield f"its rows are not those of {source}"
            name = run.path(source).name
            if name in table and table[name].tolist() != pairs.caption.tolist():
                yield f"the labels are not the captions of {source}"
    if len(table.columns) < 2:
        yield "has no labels"


def probes(run, artifact):
    """Of each model and task the same items, each once, with its own label and in its own part; penalties that were asked for."""
    table, params = read_parts([run.path(artifact)], PREDICTIONS), run.params(artifact)
    if sorted(set(table.model)) != sorted(params["models"]):
        yield "holds other models than the rule asked for"
    if table.duplicated(["model", "task", "item"]).any():
        yield "an item stands twice under one model and task"
    if not set(table.penalty) <= set(params["penalties"]):
        yield f"penalty {min(set(table.penalty) - set(params['penalties']))} was not asked for"
    if not table.part.between(0, params["folds"] - 1).all():
        yield f"a part is not one of {params['folds']}"
    sizes = table.groupby(["model", "task"]).item.agg(["size", "sum"])
    if (sizes.nunique() > 1).any():
        yield "models or tasks have other items than others"
    for source in run.inputs(artifact):
        if run.kind(source) == "labels" and run.is_intact(source):
            known = pd.read_parquet(run.path(source))
            for task, mine in table.groupby("task"):
                wrong = mine[mine.label.to_numpy() != known[task].to_numpy()[mine.item]]
                if len(wrong):
                    yield f"the label of item {wrong.item.iloc[0]} in task {task} is not that of {source}"


def balanced(table):
    """Balanced accuracy, chance taken out, of one model's rows of one task."""
    recall = (table.label == table.predicted).groupby(table.label).mean()
    return (recall.mean() - 1 / len(recall)) / (1 - 1 / len(recall))


def transfer_table(run, artifact):
    """Scores that the probes give; a share of the best; solved where that is large enough."""
    table, params = read_table(run.path(artifact)), run.params(artifact)
    yield from _intervals(table, "score")
    sources = [source for source in run.inputs(artifact) if run.kind(source) == "probes"]
    if all(map(run.is_intact, sources)):
        given = read_parts([run.path(source) for source in sources], PREDICTIONS)
        again = given.groupby(["task", "model"]).apply(balanced, include_groups=False)
        kept = table.set_index(["task", "model"]).score
        for key in again.index[~np.isclose(kept.reindex(again.index), again, atol=ROUNDING)]:
            yield f"score of {key[1]} on {key[0]} is {kept.get(key)}, its probe gives {again[key]}"
    best = table.groupby("task").score.transform("max")
    if not np.allclose(table.score / best, table.of_best, atol=ROUNDING):
        yield "of_best is not the share of the best model's score"
    if (table.solved != (table.of_best.clip(lower=0) >= params["solved"])).any():
        yield f"solved is not: of_best at least {params['solved']}"


def competence_table(run, artifact):
    """Counts and means of the table of scores beside it."""
    table = read_table(run.path(artifact)).set_index("model")
    for value, ends in (("share", "share"), ("mean_score", "mean")):
        if (table[f"{ends}_low"] > table[f"{ends}_high"]).any():
            yield f"an interval of {value} is the wrong way round"
    scores = _beside(run, artifact, "transfer")
    if scores is not None:
        by_model = scores.groupby("model")
        again = {
            "solved": by_model.solved.sum(),
            "share": by_model.solved.mean(),
            "mean_score": by_model.score.mean(),
        }
        for column, values in again.items():
            if not np.allclose(table[column], values.reindex(table.index), atol=ROUNDING):
                yield f"{column} is not what transfer.csv gives"


def pairs_table(run, artifact):
    """Each pair of the panel once, with the relation that its rows tell; scores, chance, thresholds and p-values that can be."""
    table, params = read_table(run.path(artifact)), run.params(artifact)
    found = [tuple(sorted(pair)) for pair in zip(table.model_x, table.model_y, strict=True)]
    if sorted(found) != list(itertools.combinations(sorted(params["models"]), 2)):
        yield "does not hold each pair of models once"
        return
    for row in table.itertuples():
        if row.relation != relation(params["models"][row.model_x], params["models"][row.model_y]):
            yield f"relation of {row.model_x}, {row.model_y} is {row.relation}"
    yield from _intervals(table, "score")
    if not table.score.between(0, 1).all() or (table.k != params["k"]).any():
        yield "a score lies outside 0 ... 1, or is of another k"
    steps = table.p_value * (params["permutations"] + 1)
    if ((steps - steps.round()).abs() > 1e-6).any() or (steps < 1 - 1e-6).any():
        yield f"a p-value is not one of 1 ... {params['permutations'] + 1} out of {params['permutations'] + 1}"


def convergence_table(run, artifact):
    """Bins whose models, pairs and means are those of the two tables beside it; correlations that these give."""
    table = read_table(run.path(artifact))
    yield from _intervals(table, "value")
    pairs, competence = _beside(run, artifact, "vision_pairs"), _beside(run, artifact, "competence")
    if pairs is None or competence is None:
        return
    for row in table.itertuples():
        value = competence.set_index("model")["share" if row.competence == SHARE else "mean_score"]
        mine = (
            pairs[pairs.relation == DIFFERENT] if row.of == APART else pairs[pairs.relation != SAME_WEIGHTS]
        )
        x, y = mine.model_x.map(value), mine.model_y.map(value)
        what = f"{row.quantity} of {row.of} by {row.competence}, {row.low:.3f} to {row.high:.3f}"
        if row.quantity == "Spearman":
            lower = np.minimum(x, y)
            again = spearmanr(mine.score, lower).statistic if lower.nunique() > 1 else np.nan
        else:
            last = row.high == table[table.competence == row.competence].high.max()
            inside = [(each >= row.low) & ((each < row.high) | last) for each in (x, y)]
            mine = mine[inside[0] & inside[1]]
            again = mine.score.mean()
        if len(mine) != row.pairs:
            yield f"{what}: {row.pairs} pairs, the tables have {len(mine)}"
        elif not np.isclose(row.value, again, atol=ROUNDING, equal_nan=True):
            yield f"{what} is {row.value}, the tables give {again}"


def places_table(run, artifact):
    """A place for each model, and how well distances follow -log(alignment)."""
    table = read_table(run.path(artifact))
    if not np.isfinite(table[["x", "y"]]).all(axis=None):
        yield "a place is not finite"
        return
    sources = {run.kind(source): source for source in run.inputs(artifact)}
    source = sources.get("table of vision pairs")
    if source and run.is_intact(source):
        pairs = read_table(run.path(source))
        n = 1 + (pairs.k / pairs.chance).round()
        apart = -np.log(np.maximum(pairs.score, 0.5 / (n * pairs.k)))
        again = spearmanr(apart, pdist(table[["x", "y"]])).statistic  # both in the order of pairs
        if not np.isclose(table.agreement.iloc[0], again, atol=ROUNDING):
            yield f"agreement is {table.agreement.iloc[0]}, places and pairs give {again}"


def convergence_figure(run, artifact):
    """The rows of the convergence table, and every pair that is not of the same weights."""
    drawn = read_table(run.path(artifact))
    tables = {run.kind(source): run.path(source) for source in run.inputs(artifact) if run.is_intact(source)}
    if "convergence table" in tables:
        kept = read_table(tables["convergence table"])
        mine = drawn[drawn.quantity != "pair"][kept.columns].reset_index(drop=True)
        if len(mine) != len(kept) or not ((mine == kept) | (mine.isna() & kept.isna())).all(axis=None):
            yield "its bins and correlations are not those of results/tables/convergence.csv"
    if "table of vision pairs" in tables:
        pairs = read_table(tables["table of vision pairs"])
        pairs = pairs[pairs.relation != SAME_WEIGHTS].set_index(["model_x", "model_y"])
        mine = drawn[drawn.quantity == "pair"].set_index(["model_x", "model_y"])
        if not mine.index.equals(pairs.index) or not np.array_equal(mine.value, pairs.score):
            yield "its pairs are not those of results/tables/vision_pairs.csv"


def map_figure(run, artifact):
    """Places and shares of the two tables."""
    drawn = read_table(run.path(artifact)).set_index("model")
    for source in filter(run.is_intact, run.inputs(artifact)):
        table = read_table(run.path(source)).set_index("model")
        for column in drawn.columns.intersection(table.columns):
            if not drawn[column].equals(table[column].reindex(drawn.index)):
                yield f"{column} is not that of {source}"


def _intervals(table, column):
    wrong = table[(table.ci_low > table.ci_high) | (table[column].isna() & table.ci_low.notna())]
    if len(wrong):
        yield f"row {wrong.index[0]}: an interval is the wrong way round, or of nothing"


def _beside(run, artifact, name):
    """Another table of the same job, if it is as it was made."""
    other = f"results/tables/{name}.csv"
    return read_table(run.path(other)) if run.is_intact(other) else None
