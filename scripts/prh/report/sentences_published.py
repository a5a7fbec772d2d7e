"""What the figures of published numbers, and of benchmarks, say; as `prh.report.sentences`."""

import pandas as pd

from prh.alignment.catalogue import METRICS
from prh.performance.published import MEANS, ONLY_PUBLISHED
from prh.report.run import interval, many
from prh.report.sentences import NOTHING


def published(run, numbers):
    """Figures 3 and 4 of the paper from published numbers."""
    panels = dict(list(numbers.groupby("panel", sort=False)))
    known = {
        panel: part.dropna(subset=["x", "y"])
        for panel, part in panels.items()
        if pd.notna(part.pearson.iloc[0])
    }
    drawn = [
        "Each mark is a language model on the paper's data; hollow, since none of the points is this run's.",
        "Only r and its interval, in brackets, are computed from them.",
        *(
            f"Panel {panel}: {part.y_label.iloc[0]} over {part.x_label.iloc[0]}."
            for panel, part in panels.items()
        ),
    ]
    found = [
        f"Panel {panel}: Pearson's r = {part.pearson.iloc[0]:.3f}{interval(part.iloc[0])} over {many(len(part), 'language model')}."
        for panel, part in known.items()
    ]
    above = sum(part.ci_low.iloc[0] > 0 for part in known.values())
    found += [f"The whole interval is above 0 in {above} of {many(len(known), 'panel')}."] if known else []
    limits = [
        "Language models of one family are not independent, which the intervals do not know; and what rises together need not be "
        "cause and effect."
    ]
    return (
        ["Does alignment rise with performance in the numbers that others published?"],
        drawn,
        found,
        limits,
    )


def by_metric(_run, numbers):
    """Published means by metric and k."""
    table = numbers.assign(k=numbers.k.fillna(0))
    table = table.pivot(index=["metric", "k"], columns="quantity", values="value").reindex(
        columns=list(MEANS)
    )
    parts = dict(list(table.dropna(subset=list(MEANS[:2])).groupby(level="metric")))
    found = [
        f"{METRICS[metric].label if metric in METRICS else ONLY_PUBLISHED[metric]}: {'; '.join(_ends(parts[metric]))}."
        for metric in dict.fromkeys(numbers.metric)
        if metric in parts
    ]
    drawn = [
        "Each mark is a mean over pairs of a language and a vision model on the paper's data; hollow, since none of it is this run's.",
        "A panel for each metric, over its number of neighbours k: the score, what chance gives, and what is left of the score.",
    ]
    limits = ["Means have no intervals, and what chance gives was published of fewer metrics than the score."]
    return (
        ["How much of alignment is more than chance, by metric and k, in numbers that others published?"],
        drawn,
        found,
        limits,
    )


def _ends(part):
    """Score and chance at the least and the most neighbours of a metric."""
    for (_, k), (score, chance, left) in part.iloc[sorted({0, len(part) - 1})].iterrows():
        at = f"at k = {k}, " if k else ""
        yield f"{at}{score:.2f} with {chance:.2f} by chance" + ("" if pd.isna(left) else f", {left:.2f} left")


def downstream(run, numbers):
    """Figure 4 of the paper, of this run."""
    if numbers.empty:
        return NOTHING
    found = []
    for measure, part in numbers.groupby("measure", sort=False):
        ends = part.sort_values("score", ascending=False, kind="stable").iloc[[0, -1]]
        found.append(
            f"{measure}: "
            + "; ".join(
                f"the one that agrees {how}, {run.label(row.model_x)} ({row.score:.3f}), solves {row.value:.0%}"
                for how, row in zip(("most", "least"), ends.itertuples(), strict=True)
            )
            + "."
        )
    hollow = numbers.source.str.startswith("published").sum()
    drawn = [
        f"Each mark is a language model: to the right its alignment with {run.label(numbers.model_y.iloc[0])}, upwards its score on a benchmark.",
        hollow and f"Hollow: published scores, {hollow} of {len(numbers)}.",
    ]
    limits = [
        "The paper does not state how many worked examples its benchmarks gave; those here are this project's choice."
    ]
    return ["Do language models that agree with sight solve more?"], drawn, found, limits


def reproduced(run, numbers):
    """Published numbers beside this run's."""
    found = []
    for quantity, part in numbers.groupby("quantity", sort=False):
        both = part.dropna(subset="difference")
        far = (
            f"; they differ by {both.difference.abs().median():.3g} in the middle, {both.difference.abs().max():.3g} at most"
            if len(both)
            else ""
        )
        found.append(f"{quantity}: this run has {len(both)} of {many(len(part), 'published number')}{far}.")
    drawn = [
        "A panel for each quantity: published to the right, this run's upwards. On the diagonal both are equal."
    ]
    limits = ["Most of the published numbers come from others who ran the official code, not from the paper."]
    return ["Does this run give the numbers that others published?"], drawn, found, limits
