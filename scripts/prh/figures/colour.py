"""Figure 8 of the paper: where colours lie by how often they meet, beside where they look alike."""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

from prh.figures.style import STYLE, fitted, wrapped
from prh.sources.colours import to_srgb

TRUE, FOUND = ["true_l", "true_a", "true_b"], ["l", "a", "b"]
COLUMNS = 3


def colour_geometry(places, table, labels, caption):
    """A panel per space, seen along the lightness: each colour where it was found, a line to where it lies in CIELAB.

    places: rows of places of one kind of colours per space; table: the spaces' rows of the table colours; labels: by space.
    """
    spaces = list(dict.fromkeys(places.space))
    columns = 2 if len(spaces) == 4 else COLUMNS
    count = -(-len(spaces) // columns)
    reach = 1.1 * places[["true_a", "true_b"]].abs().to_numpy().max()
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(
            count, columns, figsize=(3 * columns, 3.3 * count), sharex=True, sharey=True, squeeze=False
        )
        for axis in axes.flat[len(spaces) :]:
            axis.set_visible(False)
        for axis, space in zip(axes.flat, spaces, strict=False):
            mine = places[places.space == space]
            true, found = mine[TRUE].to_numpy(), mine[FOUND].to_numpy()
            for start, end in zip(true, found, strict=True):
                axis.plot([start[1], end[1]], [start[2], end[2]], color="0.8", linewidth=0.6, zorder=1)
            axis.scatter(true[:, 1], true[:, 2], s=4, color="0.6", zorder=2)
            axis.scatter(
                found[:, 1],
                found[:, 2],
                s=42,
                c=np.clip(to_srgb(true), 0, 1),
                edgecolor="0.4",
                linewidth=0.5,
                zorder=3,
            )
            row = table[table.space == space].iloc[0]
            axis.set_title(
                f"{wrapped(labels.get(space, space))}\n{_words('rho', row)}\n{_words('r2', row)}",
                fontsize=7.5,
            )
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        marks = [
            Line2D(
                [],
                [],
                linestyle="none",
                marker="o",
                markersize=size,
                color=shade,
                markeredgecolor="0.4",
                label=label,
            )
            for size, shade, label in (
                (6.5, "white", "a colour, where it was found"),
                (2, "0.6", "where it lies in CIELAB"),
            )
        ]
        figure.legend(handles=marks, loc="outside upper center", ncols=2, fontsize=7.5)
        for axis in axes[-1]:
            axis.set_xlabel("a*: green to red")
        for axis in axes[:, 0]:
            axis.set_ylabel("b*: blue to yellow")
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)


def _words(name, row):
    """A value with its interval where it has one, its null's 95th percentile and p."""
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    label = {"rho": "\u03c1", "r2": "R\u00b2"}[name]
    between = f" [{low:.2f}, {high:.2f}]" if low == low else ""
    return f"{label} {value:.2f}{between}; null 95 %: {row[f'{name}_null95']:.2f}, p = {row[f'{name}_p']:.3f}"
