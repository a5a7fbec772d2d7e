"""Alignment as items are added: scores, their null and what is left of them, k fixed and k a share of n, beside published means."""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from prh.figures.comparison import HERE
from prh.figures.style import MARKERS, STYLE, fitted, wrapped
from prh.tables import FIXED, MEAN, SHARE

OTHERS = {
    "color": "0.35",
    "marker": "D",
    "markersize": 5,
    "markerfacecolor": "white",
    "linestyle": "--",
    "linewidth": 1,
}


def alignment_over_n(table, models, k, share, caption):
    """Above scores with their null, below the calibrated score, over n; k fixed on the left, a share of n on the right.

    table: as `comparison.numbers_over_n` gives it.
    """
    ours, others = table[table.origin == HERE], table[table.origin != HERE]
    pairs = list(dict.fromkeys(zip(ours.model_x, ours.model_y, strict=True)))
    looks = _looks(pairs)
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(2, 2, figsize=(8.6, 5.8), sharex="col", sharey="row")
        for (above, below), rule in zip(axes.T, (FIXED, SHARE), strict=True):
            for pair, look in looks.items():
                rows = ours[(ours.rule == rule) & (ours.model_x == pair[0]) & (ours.model_y == pair[1])]
                above.plot(rows.n, rows.fixed_layers_score, color=look["color"], linestyle=":", linewidth=1)
                above.plot(rows.n, rows.null_mean, color=look["color"], marker="_", linestyle="none")
                _with_bars(above, rows, "score", ("low", "high"), **look)
                _with_bars(below, rows, "calibrated_score", ("calibrated_low", "calibrated_high"), **look)
            for _, rows in others[others.rule == rule].groupby("origin", sort=False):
                above.plot(rows.n, rows.null_mean, marker="_", linestyle="none", color=OTHERS["color"])
                above.plot(rows.n, rows.score, **OTHERS)
                below.plot(rows.n, rows.calibrated_score, **OTHERS)
            above.set_title(f"k = {k}" if rule == FIXED else f"k = n / {1 / share:g}")
            below.set(xlabel="items n", xscale="log")
            sizes = sorted({*table[table.rule == rule].n})
            below.set_xticks(sizes, [f"{n:,}" for n in sizes])
            below.xaxis.set_minor_locator(NullLocator())
        axes[0, 0].set(ylabel="mutual k-NN", ylim=(0, None))
        axes[1, 0].set(ylabel="calibrated score", ylim=(0, None))
        _legend(figure, looks, models, others)
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)


def _looks(pairs):
    """Colour, marker and line of each pair of models, thin beside their mean, which is black."""
    single = [pair for pair in pairs if pair != (MEAN, MEAN)]
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(single)))
    width = 1.5 if len(single) == len(pairs) else 0.8
    found = {
        pair: {
            "color": colour,
            "marker": MARKERS[number % len(MARKERS)],
            "markersize": 4.5,
            "linewidth": width,
        }
        for number, (pair, colour) in enumerate(zip(single, colours, strict=True))
    }
    mean = {"color": "black", "marker": "o", "markersize": 6, "linewidth": 2.2}
    return found | ({} if len(single) == len(pairs) else {(MEAN, MEAN): mean})


def _with_bars(axis, rows, value, ends, **look):
    """A line through means; bars of the draws, of a single draw its bootstrap interval, thin."""
    axis.plot(rows.n, rows[value], **look)
    for row in rows.itertuples():
        low, high = (getattr(row, end) for end in ends)
        width = 2.2 if row.draws > 1 else 0.8
        axis.plot([row.n, row.n], [low, high], color=look["color"], linewidth=width, alpha=0.7)


def _legend(figure, looks, models, others):
    """Pairs of models; whose the hollow marks are; what dots, dashes and bars are."""
    handles = []
    for pair, look in looks.items():
        names = (models[model]["label"] for model in pair if model != MEAN)
        label = "mean of these pairs" if pair == (MEAN, MEAN) else " with ".join(names)
        handles.append(Line2D([], [], label=wrapped(label), **look))
    for origin in dict.fromkeys(others.origin):
        handles.append(Line2D([], [], label=wrapped(f"published by others: {origin}"), **OTHERS))
    handles += [
        Line2D([], [], color="0.4", linestyle=":", label="at the layers that are best on all items"),
        Line2D([], [], color="0.4", linestyle="none", marker="_", label="null"),
        Line2D([], [], color="0.4", linewidth=2.2, label="range of the disjoint draws"),
        Line2D([], [], color="0.4", linewidth=0.8, label="bootstrap interval, of a single draw"),
    ]
    figure.legend(handles=handles, loc="outside right center", fontsize=7.5)
