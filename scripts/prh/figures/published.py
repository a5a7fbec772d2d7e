"""The figures of published numbers: by themselves, and beside this run's."""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from prh.figures.comparison import ALIGNMENT
from prh.figures.style import MARKERS, STYLE


def published_alignment(table, caption):
    """Figures 3 and 4 of the paper from published numbers, all marks hollow; table as `comparison.claim` gives it."""
    panels = list(dict.fromkeys(table.panel))
    named = table.model.str.extract(r"^(?P<family>.+)[-_](?P<size>[^-_]+)$")
    table, families = table.assign(**named), list(dict.fromkeys(named.family))
    shades = mpl.colormaps["viridis"](np.linspace(0, 0.8, len(families)))
    looks = {f: {"edgecolor": c, "marker": m} for f, c, m in zip(families, shades, MARKERS, strict=False)}
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(panels), figsize=(3.3 * len(panels) + 1, 3.4), squeeze=False)
        for axis, panel in zip(axes[0], panels, strict=True):
            mine = table[table.panel == panel]
            for family, look in looks.items():
                part = mine[mine.family == family]
                axis.scatter(part.x, part.y, s=30, facecolor="white", label=family, zorder=2, **look)
            for row in mine.itertuples():
                place = {"xytext": (5, -2), "textcoords": "offset points"}
                axis.annotate(row.size, (row.x, row.y), **place, fontsize=6.5, color="0.35")
            first = mine.iloc[0]
            interval = f"[{first.ci_low:.2f}, {first.ci_high:.2f}]"
            axis.set_title(f"r = {first.pearson:.3f} {interval}, {len(mine)} models", fontsize=8.5)
            over_alignment = first.x_label == ALIGNMENT
            axis.set(xlabel=first.x_label, ylabel=f"{panel}, score" if over_alignment else ALIGNMENT)
            axis.margins(x=0.12)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", fontsize=7.5)
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return figure


def reproduced_vs_published(table, caption):
    """Published numbers and this run's: a panel per quantity, on the diagonal where they are equal.

    table: as `comparison.compare` gives it; the largest difference stands in each panel.
    """
    quantities = list(dict.fromkeys(table.quantity))
    columns = min(4, len(quantities))
    rows = -(-len(quantities) // columns)
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, columns, figsize=(2.5 * columns + 0.4, 2.4 * rows + 0.5), squeeze=False
        )
        for axis, quantity in zip(axes.flat, quantities, strict=False):
            mine = table[table.quantity == quantity]
            both = mine.dropna(subset="ours")
            axis.scatter(both.value, both.ours, s=14, color="#31688e", zorder=2)
            low, high = np.nanmin(mine[["value", "ours"]]), np.nanmax(mine[["value", "ours"]])
            margin = 0.08 * (high - low) or 0.1 * abs(high) or 1
            ends = [low - margin, high + margin]
            axis.plot(ends, ends, color="0.7", linewidth=1, zorder=1)
            note = f"{len(both)} of {len(mine)}"
            note += f", largest difference {both.difference.abs().max():.3g}" if len(both) else " in this run"
            axis.set_title(note, fontsize=7)
            axis.annotate(
                quantity, (0.5, 1), (0, 17), "axes fraction", "offset points", ha="center", fontsize=10
            )
            axis.set(xlabel="published", ylabel="this run", xlim=ends, ylim=ends)
        for axis in list(axes.flat)[len(quantities) :]:
            axis.set_visible(False)
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return figure
