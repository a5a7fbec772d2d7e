"""Figure 2 of the paper: agreement of vision models with each other, over what they are good for, and on a map."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

from prh.features.panel import DIFFERENT, SAME_FAMILY, SAME_TRAINING, SAME_WEIGHTS
from prh.figures.style import MARKERS, STYLE, fitted, metric_label, wrapped
from prh.performance.transfer import ALL, APART, MEAN, SHARE

RELATIONS = {SAME_TRAINING: "#b5367a", SAME_FAMILY: "#f0a030", DIFFERENT: "#31688e"}
NAMED = 25  # of more models than these the map has no names
OF = {ALL: {"color": "0.15", "marker": "o"}, APART: {"color": RELATIONS[DIFFERENT], "marker": "s"}}


def convergence_numbers(convergence, pairs, competence):
    """The numbers that `vision_convergence` draws: the rows of the table CONVERGENCE, and each pair with the lower share that its two
    models solve."""
    share = competence.set_index("model").share
    drawn = pairs[pairs.relation != SAME_WEIGHTS].drop(columns=["null_mean", "tau", "p_value"])
    lower = np.minimum(drawn.model_x.map(share), drawn.model_y.map(share))
    drawn = drawn.assign(quantity="pair", value=drawn.score, lower_share=lower).drop(columns="score")
    return pd.concat([convergence, drawn], ignore_index=True)


def vision_convergence(numbers, caption):
    """Mean agreement in bins of competence, by two measures of it, and all pairs; numbers: see `convergence_numbers`."""
    pairs = numbers[numbers.quantity == "pair"]
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(1, 3, figsize=(11.5, 4), sharey=True, width_ratios=[1, 1, 1.2])
        for axis, measure in zip(axes, (SHARE, MEAN), strict=False):
            _bins(axis, numbers[numbers.competence == measure], measure)
        for relation, colour in RELATIONS.items():
            mine = pairs[pairs.relation == relation]
            axes[2].vlines(mine.lower_share, mine.ci_low, mine.ci_high, color=colour, alpha=0.25, linewidth=1)
            axes[2].plot(mine.lower_share, mine.value, "o", color=colour, markersize=3.5, label=relation)
        axes[2].set(
            title="every pair of models", xlabel=f"{SHARE} by the weaker of the two", xlim=(-0.03, 1.03)
        )
        axes[2].legend(title="the two have", fontsize=7.5, title_fontsize=7.5, loc="upper left")
        for axis in axes:
            axis.axhline(pairs.chance.iloc[0], color="0.3", linestyle=":", linewidth=1)
        axes[0].set_ylabel(f"alignment ({metric_label(f'mutual_knn@{int(pairs.k.iloc[0])}')})")
        axes[0].set_ylim(0, None)
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)


def _bins(axis, table, measure):
    """One measure of competence: per bin the mean of all pairs and of those of different families, with intervals and nulls."""
    top = table[table.quantity == "mean alignment"]
    width, said = top.high.iloc[0] - top.low.iloc[0], []
    for (of, style), shift in zip(OF.items(), (-0.12, 0.12), strict=True):
        mine = top[(top.of == of) & (top.pairs > 0)]
        place = (mine.low + mine.high) / 2 + shift * width
        axis.bar(
            place,
            mine.null_high - mine.null_low,
            0.2 * width,
            mine.null_low,
            color=style["color"],
            alpha=0.12,
        )
        error = np.stack([mine.value - mine.ci_low, mine.ci_high - mine.value])
        axis.errorbar(
            place, mine.value, error, fmt=style["marker"], color=style["color"], markersize=5, label=of
        )
        trend = table[(table.of == of) & (table.quantity == "Spearman")].iloc[0]
        found = f"ρ = {trend.value:.2f} ({trend.ci_low:.2f} to {trend.ci_high:.2f}), p = {trend.p_value:.2g}"
        said.append(f"{of}: {'no correlation, all are equal or too few' if np.isnan(trend.value) else found}")
    bins = top[top.of == ALL].merge(top[top.of == APART], on=["low", "high"], suffixes=("", "_apart"))
    labels = [
        f"{b.low:.2f} to {b.high:.2f}\n{b.models:.0f} models\n{b.pairs:.0f}, {b.pairs_apart:.0f} pairs"
        for b in bins.itertuples()
    ]
    axis.set_xticks((bins.low + bins.high) / 2, labels, fontsize=6.5)
    axis.set(xlabel=measure, xlim=(bins.low.min(), bins.high.max()))
    axis.set_title("\n".join(said), fontsize=7.5)
    axis.legend(fontsize=7.5, loc="upper left")


def vision_map(numbers, caption, how):
    """Models on a map: colour, the share of tasks solved; marker, what trained them. numbers: columns label, training, share, x, y,
    agreement, agreement_null."""
    kinds, named = list(dict.fromkeys(numbers.training)), len(numbers) <= NAMED
    marker = {kind: MARKERS[i % len(MARKERS)] for i, kind in enumerate(kinds)}
    with mpl.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(8.2, 4.4))
        for number, row in enumerate(numbers.itertuples(), start=1):
            drawn = axis.scatter(
                row.x, row.y, c=[row.share], vmin=0, vmax=1, cmap="viridis", marker=marker[row.training],
                s=70, edgecolor="0.3", linewidth=0.6,
            )  # fmt: skip
            if named:
                place = {"xytext": (5, 4), "textcoords": "offset points"}
                axis.annotate(number, (row.x, row.y), **place, fontsize=7, color="0.2")
        style = {"color": "0.4", "linestyle": "", "markersize": 6}
        handles = [
            Line2D([], [], label=wrapped(f"trained by: {kind}"), marker=marker[kind], **style)
            for kind in kinds
        ]
        names = (
            [wrapped(f"{number}  {label}") for number, label in enumerate(numbers.label, start=1)]
            if named
            else []
        )
        handles += [Line2D([], [], label=name, linestyle="") for name in names]
        figure.legend(handles=handles, loc="outside right center", fontsize=7)
        figure.colorbar(drawn, ax=axis, label=SHARE, location="left", shrink=0.7)
        found = numbers.iloc[0]
        axis.set(aspect="equal", xticks=[], yticks=[])
        axis.spines[:].set(visible=True, color="0.8")  # a frame: the axes mean nothing
        axis.set_title(
            f"{how} of -log(alignment): distances on the map follow it with ρ = {found.agreement:.2f}; "
            f"permuted ones with up to {found.agreement_null:.2f}", fontsize=7.5,
        )  # fmt: skip
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)
