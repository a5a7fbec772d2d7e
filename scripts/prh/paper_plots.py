"""The figures of the paper's own scale: panels by family, benchmarks, and published numbers beside this run's."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

from prh.plots import STYLE, metric_label

SIZES = ("tiny", "small", "base", "large", "huge", "giant")
COLOURS = dict(zip(SIZES, mpl.colormaps["viridis"](np.linspace(0, 0.88, len(SIZES))), strict=True))
MARKERS = dict(zip(SIZES, "osD^vP", strict=True))


def has_sizes(table, models):
    """Whether every vision model of the table has a size that panels can be drawn by."""
    return all(models[model].get("size_name") in SIZES for model in table.model_y.unique())


def alignment_by_family(table, models, caption, performance_label):
    """Figure 3 of the paper: a panel per family of vision models, a line per size; the language models' names on top.

    table: columns as for `plots.alignment_vs_performance`.
    """
    table = table.dropna(subset="bits_per_byte")
    families = list(dict.fromkeys(models[model]["family"] for model in table.model_y))
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(families), figsize=(2.5 * len(families) + 1, 3.6), sharey=True, sharex=True, squeeze=False
        )
        for axis, family in zip(axes[0], families, strict=True):
            for model in (m for m in dict.fromkeys(table.model_y) if models[m]["family"] == family):
                size = models[model]["size_name"]
                mine = table[table.model_y == model].sort_values("bits_per_byte")
                style = {"color": COLOURS[size], "marker": MARKERS[size], "markersize": 4, "linewidth": 1.2}
                axis.plot(1 - mine.bits_per_byte, mine.score, **style)
            if table.chance.notna().any():
                axis.axhline(table.chance.iloc[0], color="0.3", linestyle=":", linewidth=1)
            for row in table.drop_duplicates("model_x").itertuples():
                place = (1 - row.bits_per_byte, 1.01)
                axis.annotate(
                    models[row.model_x]["label"], place, xycoords=("data", "axes fraction"), rotation=90,
                    ha="center", va="bottom", fontsize=5, color="0.35",
                )  # fmt: skip
            axis.set_title(family, pad=46)
        axes[0, 0].set_ylabel(f"alignment ({metric_label(table.name.iloc[0])})")
        axes[0, 0].set_ylim(0, None)
        sizes = [
            size for size in SIZES if any(models[m]["size_name"] == size for m in table.model_y.unique())
        ]
        handles = [Line2D([], [], label=s, color=COLOURS[s], marker=MARKERS[s], markersize=4) for s in sizes]
        figure.legend(handles=handles, loc="outside right center", fontsize=7.5, title="ViT size")
        figure.supxlabel(f"{performance_label}\n{caption}", fontsize=8)
    return figure


def alignment_vs_downstream(table, models, caption):
    """Figure 4 of the paper: benchmark scores over alignment with one vision model; the area is the model's size.

    table: columns model, model_y, name, score (alignment), measure, shots, value, source. Published scores are hollow. The
    number of shots is in a panel's title, or at each mark where they differ.
    """
    measures = list(dict.fromkeys(table.measure)) or ["no benchmark scores"]
    language = list(dict.fromkeys(table.model))
    families = list(dict.fromkeys(models[model]["family"] for model in language))
    shades = mpl.colormaps["viridis"](np.linspace(0, 0.88, max(len(families), 1)))
    colours = dict(zip(families, shades, strict=False))
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(measures), figsize=(4 * len(measures) + 1.2, 3.8), sharex=True, squeeze=False
        )
        for axis, measure in zip(axes[0], measures, strict=True):
            mine = table[table.measure == measure]
            shots = sorted(set(mine.shots.dropna().astype(int)))
            for row in mine.itertuples():
                label = models[row.model]["label"]
                if len(shots) > 1 and not pd.isna(row.shots):
                    label += f", {int(row.shots)} shots"
                colour = colours[models[row.model]["family"]]
                hollow = row.source.startswith("published")
                area = 8 + 60 * ((models[row.model]["parameters"] or 1e9) / 7e9) ** 0.5
                axis.scatter(
                    row.score, row.value, s=area, facecolor="white" if hollow else colour, edgecolor=colour
                )
                axis.annotate(
                    label, (row.score, row.value), xytext=(4, 3),
                    textcoords="offset points", fontsize=5.5, color="0.35",
                )  # fmt: skip
            axis.set(title=measure + (f", {shots[0]} shots" if len(shots) == 1 else ""), ylabel="score")
        vision = models[table.model_y.iloc[0]]["label"] if len(table) else "the vision model"
        handles = [
            Line2D([], [], label=family, color=colour, marker="o", linestyle="")
            for family, colour in colours.items()
        ]
        figure.legend(handles=handles, loc="outside right center", fontsize=7.5)
        figure.supxlabel(f"alignment with {vision}; hollow: published score\n{caption}", fontsize=8)
    return figure


def reproduced_vs_published(table, caption):
    """Published numbers and this run's: a panel per quantity, on the diagonal where they are equal.

    table: as `published.compare` gives it; the largest difference stands in each panel.
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
