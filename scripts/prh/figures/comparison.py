"""Published numbers by themselves, and with this run's beside them."""

import math

import numpy as np
import pandas as pd

from prh.alignment.catalogue import metric_name, parse_metric
from prh.performance.correlation import correlate
from prh.performance.downstream import CAPTIONS, OF_CAPTIONS
from prh.performance.published import MEANS, ON_OPENWEBTEXT, WITH_UNNAMED
from prh.tables import FIXED, MEAN

# The vision model and metric of which most is published.
VISION, METRIC = "vit_giant_patch14_dinov2.lvd142m", "mutual_knn@10"
LANGUAGE = "1 - bits per byte (captions)"
ALIGNMENT, WITH_ANY = "alignment with DINOv2 giant", "alignment, vision model not stated"
FIGURE_3, PROJECT_PAGE = "figure 3", "project page"
# Of the figure over n: whose numbers; its columns; pairs of models above which their mean is drawn as well.
HERE, MANY = "this run", 6
OVER_N = [
    *("origin", "model_x", "model_y", "rule", "n", "k", "draws"),
    *("score", "low", "high", "fixed_layers_score"),
    *("null_mean", "calibrated_score", "calibrated_low", "calibrated_high"),
]
BOTH = "; "  # between the source of x and that of y


def claim(numbers, benchmarks, resamples, confidence, seed):
    """Published alignment with published performance: a row per panel and language model.

    numbers, benchmarks: tables of config/published/. Columns: panel, model, x_label, y_label, x, y (missing where not published),
    source, and of the panel Pearson's r with its percentile bootstrap interval over language models (pearson, ci_low, ci_high).
    """
    score = numbers[(numbers.quantity == "score") & (numbers.model_y == VISION) & (numbers.metric == METRIC)]
    score = score.set_index("model_x")
    bits, on_page, with_unnamed = (
        numbers[numbers.quantity == quantity].set_index("model_x")
        for quantity in (CAPTIONS, ON_OPENWEBTEXT, WITH_UNNAMED)
    )
    bits = bits.assign(value=1 - bits.value)
    panels = [(FIGURE_3, bits, score, LANGUAGE, ALIGNMENT)]
    for measure, mine in benchmarks.groupby("measure", sort=False):
        panels.append((measure, score, mine.set_index("model"), ALIGNMENT, f"{measure}, score"))
    # Another performance, and perhaps another vision model: points that belong into none of the panels above.
    panels.append((PROJECT_PAGE, on_page, with_unnamed.reindex(on_page.index), ON_OPENWEBTEXT, WITH_ANY))
    parts = []
    for panel, x, y, x_label, y_label in panels:
        models = [model for model in x.index if model in y.index]
        part = pd.DataFrame({"panel": panel, "model": models, "x_label": x_label, "y_label": y_label})
        part = part.assign(x=x.value[models].to_numpy(), y=y.value[models].to_numpy())
        given = ((x.source[model], y.source[model]) for model in models)
        part["source"] = [BOTH.join(dict.fromkeys(s for s in both if isinstance(s, str))) for both in given]
        known = part.dropna()
        found = correlate(known.x, known.y, "pearson", resamples, confidence, seed)
        parts.append(part.assign(pearson=found.value, ci_low=found.ci_low, ci_high=found.ci_high))
    return pd.concat(parts, ignore_index=True)


def means(numbers):
    """Published means over model pairs, a row per quantity, metric and k: quantity, metric, k (missing for metrics without), value, source."""
    table = numbers[numbers.quantity.isin(MEANS)]
    parts = [parse_metric(name) for name in table.metric]
    table = table.assign(metric=[m for m, _ in parts], k=pd.array([k for _, k in parts], dtype="Int64"))
    return table[["quantity", "metric", "k", "value", "source"]].reset_index(drop=True)


def compare(published, alignment, performance, downstream, sets, concatenated):
    """`published` with the columns `ours`, `difference` (ours minus published) and `note`.

    published: quantity, model_x, model_y, metric (METRIC@K), value, source, as `read_numbers` gives it. model_x, model_y: a model,
    or set:NAME for all of a set (`sets`: words by model, of the whole model table). alignment: as `best.across` gives it;
    performance, downstream: the tables. Where this run lacks the models or the metric, `ours` is missing and the note says why;
    it also says where an option was another one. Rows that do not say which vision model they are of are left out.
    """
    rows = []
    for row in published[published.quantity != WITH_UNNAMED].itertuples(index=False):
        ours, note = _ours(row, alignment, performance, downstream, sets)
        if row.quantity == "score (concatenated)" and not concatenated:
            note = "published with the concatenation of all layers, which this run leaves out"
        rows.append({**row._asdict(), "ours": ours, "difference": ours - row.value, "note": note})
    return pd.DataFrame(rows)


def _ours(row, alignment, performance, downstream, sets):
    """This run's value of a published row, and why there is none, or what is not the same."""
    if row.quantity in (*OF_CAPTIONS, ON_OPENWEBTEXT):
        values = downstream[downstream.measure == row.quantity].set_index("model").value
        if row.quantity == ON_OPENWEBTEXT:
            values = 1 - performance[performance.corpus == "openwebtext"].set_index("model").bits_per_byte
        ours = float(values.get(row.model_x, math.nan))
        return ours, "" if ours == ours else "not measured in this run"
    wanted_x, wanted_y = (_members(name, sets) for name in (row.model_x, row.model_y))
    name = metric_name(*parse_metric(row.metric))
    mine = alignment[
        (alignment.name == name) & alignment.model_x.isin(wanted_x) & alignment.model_y.isin(wanted_y)
    ]
    if not wanted_x or not wanted_y or len(mine) != len(wanted_x) * len(wanted_y):
        return math.nan, "not all of these models or not this metric in this run"
    values = {
        "score": mine.score.mean(),
        "score (concatenated)": mine.score.mean(),
        "mean score": mine.score.mean(),
        "highest score": mine.score.max(),
        "language layer": float(mine.layer_x.iloc[0]),
        "vision layer": float(mine.layer_y.iloc[0]),
        # Published is the null of the maximum over layer pairs, which chance is not: it stands in where nothing is calibrated.
        "mean null": mine.null_mean.fillna(mine.chance).mean(skipna=False),
        "mean calibrated score": mine.calibrated_score.mean(skipna=False),
    }
    ours = float(values[row.quantity])
    if ours != ours:
        return ours, "not calibrated in this run"
    by_chance = row.quantity == "mean null" and mine.null_mean.isna().any()
    return ours, "k / (n - 1), since not calibrated in this run" if by_chance else ""


def _members(name, sets):
    """All models of set:NAME, whether in this run or not, or the model itself."""
    if name.startswith("set:"):
        return [model for model, words in sets.items() if name.removeprefix("set:") in words]
    return [name]


def numbers_over_n(table, published=None):
    """What the figure shows: rows of `_over_draws`, for many pairs also of their mean (MEAN), and published means; column origin says whose.

    table: rows of the table of that name; published: as `prh.performance.published.read_over_n` gives it, or None.
    """
    rows = _over_draws(table)
    if len(table.drop_duplicates(["model_x", "model_y"])) > MANY:
        mean = table.groupby(["rule", "n", "draw"], sort=False).mean(numeric_only=True).reset_index()
        mean[["ci_low", "ci_high"]] = np.nan  # pairs share models and items: theirs give none of the mean
        rows += _over_draws(mean.assign(model_x=MEAN, model_y=MEAN))
    parts = [pd.DataFrame(rows).assign(origin=HERE)]
    if published is not None:
        wide = published.pivot(
            index=["n", "k", "draws", "source"], columns="quantity", values="value"
        ).reset_index()
        wide = wide.rename(columns=dict(zip(MEANS, ("score", "null_mean", "calibrated_score"), strict=True)))
        wide = wide.rename(columns={"source": "origin"}).assign(model_x=MEAN, model_y=MEAN, rule=FIXED)
        parts.append(wide)
    return pd.concat(parts).reindex(columns=OVER_N).astype({"k": "Int64"}).reset_index(drop=True)


def _over_draws(table):
    """The table's rows as one for each pair, rule and n: means over draws, and how far the score and its calibrated form reach.

    low, high: the lowest and the highest of the draws; of a single draw its bootstrap interval, the threshold held fixed for the
    calibrated score.
    """
    rows = []
    for (x, y, rule, n), group in table.groupby(["model_x", "model_y", "rule", "n"], sort=False):
        row = {"model_x": x, "model_y": y, "rule": rule, "n": n, "k": group.k.iloc[0], "draws": len(group)}
        row |= {
            name: group[name].mean()
            for name in ("score", "fixed_layers_score", "null_mean", "calibrated_score")
        }
        scores, calibrated = group.score, group.calibrated_score
        if len(group) == 1:
            scores, tau = group[["ci_low", "ci_high"]].iloc[0], group.tau.iloc[0]
            calibrated = ((scores - tau) / (1 - tau)).clip(lower=0)
        row |= {"low": scores.min(), "high": scores.max()}
        row |= {"calibrated_low": calibrated.min(), "calibrated_high": calibrated.max()}
        rows.append(row)
    return rows
