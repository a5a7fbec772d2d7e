"""The figure of published numbers beside this run's."""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from prh.figures.style import STYLE


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
