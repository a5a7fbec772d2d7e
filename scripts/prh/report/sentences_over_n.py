"""What the figure on alignment over n says; see `story.TOLD`."""

from prh.figures.comparison import HERE
from prh.report.run import interval
from prh.tables import FIXED, MEAN


def over_n(run, numbers):
    """How alignment depends on the number of items. numbers: rows that the figure shows."""
    asked = ["Is a score a property of two models, or of how many items they were compared on?"]
    drawn = [
        "To the right: more items. Left, every item has the same number of neighbours, right as many as are the same share of all. Above, "
        "the score and its null (dashes); below, what is left above chance. Each part of the items is measured by itself, its best pair of "
        "layers chosen anew, in the null as well. Brackets here: from the lowest to the highest draw, of a single draw its bootstrap interval."
    ]
    found = []
    for (x, y, rule), rows in numbers[numbers.origin == HERE].groupby(
        ["model_x", "model_y", "rule"], sort=False
    ):
        first, last = rows.loc[rows.n.idxmin()], rows.loc[rows.n.idxmax()]
        who = "Mean of the pairs" if x == MEAN else f"{run.label(x)} with {run.label(y)}"
        how = f"k = {first.k:.0f}" if rule == FIXED else f"k = {first.k:.0f} to {last.k:.0f}"
        found.append(
            f"{who}, {how}, from {first.n:,} items to {last.n:,}: {first.score:.3f} to {last.score:.3f}, the null "
            f"{first.null_mean:.3f} to {last.null_mean:.3f}, above chance {_reach(first)} to {_reach(last)}."
        )
    others = numbers[numbers.origin != HERE].sort_values("n")
    for origin, rows in others.groupby("origin", sort=False):
        first, last = rows.iloc[0], rows.iloc[-1]
        found.append(
            f"Published by others ({origin}), k = {first.k:.0f}, from {first.n:,} to {last.n:,}: {first.score:.3f} to {last.score:.3f}, above "
            f"chance {first.calibrated_score:.3f} to {last.calibrated_score:.3f}."
        )
    limits = [
        f"Nothing here is computed beyond {numbers[numbers.origin == HERE].n.max():,} items. With few items the threshold of chance lies "
        "further above its mean, so that what is above chance starts lower."
    ]
    return asked, drawn, found, limits


def _reach(row):
    """A calibrated score with its bar."""
    ends = row.rename({"calibrated_low": "ci_low", "calibrated_high": "ci_high"})
    return f"{row.calibrated_score:.3f}{interval(ends)}"
