"""What layers are like, and at which distances those of two models agree."""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

from prh.figures.style import MARKERS, STYLE, WIDE, fitted, legend, looks, plain_powers, wrapped

MODALITIES = ("language", "vision")
SIDES = {"mutual_knn": "neighbours: mutual k-NN", "cknna": "and distances: CKNNA"}


def layers_described(table, models, caption):
    """Cone, effective dimension and clamped share over depth, a row of panels for each modality; table: rows of LAYERS of one data set."""
    quantities = {
        "mean_cosine": "mean cosine",
        "dimension": "effective dimension",
        "clamped": "share of values clamped",
    }
    with mpl.rc_context(STYLE):
        there = [m for m in MODALITIES if any(models[name]["modality"] == m for name in table.model)]
        size = (10, 2.3 * len(there) + 0.6)
        figure, axes = plt.subplots(len(there), 3, figsize=size, sharex=True, squeeze=False)
        for row, modality in zip(axes, there, strict=True):
            mine = [name for name in dict.fromkeys(table.model) if models[name]["modality"] == modality]
            look = looks(mine, models)
            for axis, (column, words) in zip(row, quantities.items(), strict=True):
                for name in mine:
                    part = table[table.model == name]
                    depth = part.layer / max(part.layer.max(), 1)
                    axis.plot(
                        depth,
                        part[column],
                        label=wrapped(models[name]["label"]),
                        **look[name] | {"markersize": 3},
                    )
                axis.set_ylabel(words)
                if column == "dimension":
                    axis.set_yscale("log")
                    plain_powers(axis.yaxis)
            row[0].set_title(f"{modality} models", loc="left")
            row[-1].legend(fontsize=6.5, loc="upper left", bbox_to_anchor=(1, 1))
        for axis in axes[-1]:
            axis.set_xlabel("depth: first layer 0, last 1")
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)


def distance_windows(table, models, caption):
    """tRSA of each window of distances, a line per pair of models, above its null; table: rows of WINDOWS of one data set."""
    pairs = list(dict.fromkeys(zip(table.model_x, table.model_y, strict=True)))
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(pairs)))
    with mpl.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4), sharex=True)
        right.set_yscale("symlog")  # before the lines: margins are those of the scale
        for number, ((x, y), colour) in enumerate(zip(pairs, colours, strict=True)):
            mine = table[(table.model_x == x) & (table.model_y == y)]
            middle = (mine.low + mine.high) / 2
            style = {"color": colour, "marker": MARKERS[number], "markersize": 4.5}
            one, other = (
                f"{models[x]['label']} ({mine.layer_x.iloc[0]})",
                f"with {models[y]['label']} ({mine.layer_y.iloc[0]})",
            )
            label = f"{one} {other}" if len(one + other) < 2 * WIDE + 4 else f"{one}\n{other}"
            error = [mine.score - mine.ci_low, mine.ci_high - mine.score]
            left.errorbar(
                middle,
                mine.score,
                error,
                capsize=2,
                elinewidth=0.8,
                label=wrapped(label, 2 * WIDE + 4),
                **style,
            )
            left.plot(middle, mine.tau, linestyle=":", color=colour, linewidth=1)
            right.plot(middle, (mine.score - mine.null_mean) / mine.null_sd, **style)
        for axis in (left, right):
            axis.axhline(0, color="0.3", linewidth=0.8)
            axis.set_xlabel("quantiles of all distances: near pairs to the left")
        left.set_ylabel("tRSA within the window")
        right.set_ylabel("standard deviations of the null above it")
        plain_powers(right.yaxis)
        handles, _ = left.get_legend_handles_labels()
        handles.append(
            Line2D([], [], label="what chance exceeds one time in twenty", linestyle=":", color="0.3")
        )
        figure.legend(handles=handles, loc="outside upper center", ncols=2, fontsize=7.5)
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)


def neighbours_vs_distances(table, models, caption, k):
    """Mutual k-NN and CKNNA at the same k side by side: each score, its interval, and the null below it.

    table: rows of the table of alignments of these two metrics, one k, language with vision models.
    """
    language, vision = (list(dict.fromkeys(table[column])) for column in ("model_x", "model_y"))
    look = looks(vision, models)
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(10, 4))
        for axis, (metric, words) in zip(axes, SIDES.items(), strict=True):
            mine = table[table.metric == metric]
            for number, name in enumerate(vision):
                rows = mine[mine.model_y == name].set_index("model_x").reindex(language)
                places = np.arange(len(language)) + 0.11 * (number - (len(vision) - 1) / 2)
                error = [rows.score - rows.ci_low, rows.ci_high - rows.score]
                style = look[name] | {"linestyle": "none", "markersize": 4.5}
                axis.errorbar(places, rows.score, error, capsize=1.5, elinewidth=0.8, **style)
                axis.plot(
                    places, rows.null_mean, linestyle="none", marker="_", color=style["color"], markersize=7
                )
            times = (mine.score / mine.null_mean).median()
            axis.set_title(f"k = {k}: {times:.1f} times its null (median)")
            axis.set_xticks(
                range(len(language)),
                [wrapped(models[m]["label"], 28) for m in language],
                rotation=15,
                ha="right",
            )
            axis.set(ylabel=words, ylim=(0, None))
        legend(
            figure,
            look,
            models,
            [Line2D([], [], label="null, mean", marker="_", color="0.3", linestyle="none")],
        )
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)
