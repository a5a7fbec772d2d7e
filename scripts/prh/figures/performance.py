"""The figures of alignment and how good language models are: figures 3 and 4 of the paper."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

from prh.figures.style import STYLE, fitted, legend, looks, metric_label, wrapped
from prh.tables import FEWEST

SIZES = ("tiny", "small", "base", "large", "huge", "giant")
SIZE_COLOURS = dict(zip(SIZES, mpl.colormaps["viridis"](np.linspace(0, 0.88, len(SIZES))), strict=True))
NAME = 20  # letters of a language model's name on a line, beside others
SIZE_MARKERS = dict(zip(SIZES, "osD^vP", strict=True))


def alignment_vs_performance(table, models, caption, performance_label):
    """Figure 3 of the paper: alignment over language-model performance, a line per vision model.

    table: columns name (METRIC@K), model_x (language), model_y (vision), score, chance, bits_per_byte (missing for a
    model that has none). Random-init models are floors: hollow and dashed. Language models without bits-per-byte stand
    in a strip of their own.
    """
    with mpl.rc_context(STYLE):
        others = list(dict.fromkeys(table[table.bits_per_byte.isna()].model_x))
        figure = plt.figure(figsize=(8.6, 4.6))
        axes = figure.subplots(1, 2, sharey=True, width_ratios=[5, max(1, len(others))])
        look = looks(dict.fromkeys(table.model_y), models)
        draw_lines(axes[0], table, look)
        for model, style in look.items():
            mine = table[(table.model_y == model) & table.bits_per_byte.isna()]
            axes[1].plot(mine.model_x.map(others.index), mine.score, **{**style, "linestyle": "none"})
        if table.chance.notna().any():
            for axis in axes:
                axis.axhline(table.chance.iloc[0], color="0.3", linestyle=":", linewidth=1)
            axes[0].text(
                0.01, table.chance.iloc[0], "chance", transform=axes[0].get_yaxis_transform(), va="bottom"
            )
        _name_language_models(axes[0], table, models)
        few = table.dropna(subset="bits_per_byte").model_x.nunique()
        if few < FEWEST:
            note = f"{few} language models with bits-per-byte: too few for a correlation"
            axes[0].text(
                0.99, 0.02, note, transform=axes[0].transAxes, ha="right", fontsize=7.5, style="italic"
            )
        axes[1].set_xticks(range(len(others)), [_broken(models[m]["label"]) for m in others])
        axes[1].set(xlim=(-0.6, max(len(others), 1) - 0.4), xlabel="no bits-per-byte")
        axes[1].set_visible(bool(others))
        axes[0].set(
            xlabel=wrapped(performance_label, 60), ylabel=f"alignment ({metric_label(table.name.iloc[0])})"
        )
        axes[0].set_ylim(0, None)
        axes[0].margins(x=0.14)
        order = table.groupby("model_y").score.max().sort_values(ascending=False).index
        legend(figure, {m: look[m] for m in order}, models)
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)


def draw_lines(axis, table, look, column="score"):
    """Alignment over 1 - bits-per-byte, a line per vision model, for the language models that have it."""
    for model, style in look.items():
        mine = table[(table.model_y == model) & table.bits_per_byte.notna()].sort_values("bits_per_byte")
        axis.plot(1 - mine.bits_per_byte, mine[column], linewidth=1.2, **style)


def has_sizes(table, models):
    """Whether every vision model of the table has a size that panels can be drawn by."""
    return all(models[model].get("size_name") in SIZES for model in table.model_y.unique())


def alignment_by_family(table, models, caption, performance_label):
    """Figure 3 of the paper: a panel per family of vision models, a line per size; the language models' names on top.

    table: columns as for `alignment_vs_performance`.
    """
    lacking = list(dict.fromkeys(table[table.bits_per_byte.isna()].model_x))
    if lacking:
        caption += f"\nnot shown, without bits per byte: {', '.join(models[m]['label'] for m in lacking)}"
    table = table.dropna(subset="bits_per_byte")
    families = list(dict.fromkeys(models[model]["family"] for model in table.model_y))
    with mpl.rc_context(STYLE):
        names = {model: wrapped(models[model]["label"], 30) for model in table.model_x}
        longest = max((len(line) for name in names.values() for line in name.split("\n")), default=0)
        pad = max(46, 6 + 3.2 * longest)  # points, over the names
        height = 3.6 + (pad - 46) / 72 + 0.2 * max(wrapped(family, 26).count("\n") for family in families)
        figure, axes = plt.subplots(
            1,
            len(families),
            figsize=(2.5 * len(families) + 1, height),
            sharey=True,
            sharex=True,
            squeeze=False,
        )
        for axis, family in zip(axes[0], families, strict=True):
            for model in (m for m in dict.fromkeys(table.model_y) if models[m]["family"] == family):
                size = models[model]["size_name"]
                mine = table[table.model_y == model].sort_values("bits_per_byte")
                style = {
                    "color": SIZE_COLOURS[size],
                    "marker": SIZE_MARKERS[size],
                    "markersize": 4,
                    "linewidth": 1.2,
                }
                axis.plot(1 - mine.bits_per_byte, mine.score, **style)
            if table.chance.notna().any():
                axis.axhline(table.chance.iloc[0], color="0.3", linestyle=":", linewidth=1)
            for row in table.drop_duplicates("model_x").itertuples():
                place = (1 - row.bits_per_byte, 1.01)
                axis.annotate(
                    names[row.model_x], place, xycoords=("data", "axes fraction"), rotation=90,
                    ha="center", va="bottom", fontsize=5, color="0.35",
                )  # fmt: skip
            axis.set_title(wrapped(family, 26), pad=pad)
        axes[0, 0].set_ylabel(f"alignment ({metric_label(table.name.iloc[0])})")
        axes[0, 0].set_ylim(0, None)
        sizes = [
            size for size in SIZES if any(models[m]["size_name"] == size for m in table.model_y.unique())
        ]
        handles = [
            Line2D([], [], label=s, color=SIZE_COLOURS[s], marker=SIZE_MARKERS[s], markersize=4)
            for s in sizes
        ]
        figure.legend(handles=handles, loc="outside right center", fontsize=7.5, title="ViT size")
        figure.supxlabel(f"{performance_label}\n{caption}", fontsize=8)
    return fitted(figure)


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
                label = wrapped(models[row.model]["label"], 30)
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
            Line2D([], [], label=wrapped(family), color=colour, marker="o", linestyle="")
            for family, colour in colours.items()
        ]
        figure.legend(handles=handles, loc="outside right center", fontsize=7.5)
        figure.supxlabel(f"alignment with {vision}; hollow: published score\n{caption}", fontsize=8)
    return fitted(figure)


def _name_language_models(axis, table, models):
    """Names above their points, on several levels where points are close, so that they do not overlap."""
    places = (
        table.dropna(subset="bits_per_byte")
        .drop_duplicates("model_x")
        .sort_values("bits_per_byte", ascending=False)
    )
    names = {model: _broken(models[model]["label"]) for model in places.model_x}
    lines = [line for name in names.values() for line in name.split("\n")]
    gap = max([0.2, *(0.015 * len(line) for line in lines)]) * max(np.ptp(places.bits_per_byte), 1e-9)
    tall, levels = [], []  # lines of the tallest name on each level, and the last place on it
    placed = []
    for row in places.itertuples():
        place = 1 - row.bits_per_byte
        level = next((i for i, last in enumerate(levels) if place - last > gap), len(levels))
        levels[level : level + 1] = [place]
        lines = max([*tall[level : level + 1], 1 + names[row.model_x].count("\n")])
        tall[level : level + 1] = [lines]
        placed.append((names[row.model_x], place, level))
    for name, place, level in placed:
        axis.axvline(place, color="0.9", linewidth=0.8, zorder=0)
        above = 2 + 10 * sum(tall[:level])  # points
        at = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        axis.annotate(name, (place, 1), (0, above), **at, ha="center", fontsize=7.5)


def _broken(label):
    return wrapped(label.replace(" (", "\n("), NAME)
