"""The figures that compare metrics."""

from textwrap import fill

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from prh.alignment.catalogue import METRICS, parse_metric
from prh.figures.performance import draw_lines
from prh.figures.style import STYLE, fitted, heatmap, legend, looks, metric_label, wrapped

CKNNA = {m: spec for m, spec in METRICS.items() if spec.family == "cknna"}


def alignment_by_metric(table, models, caption, performance_label):
    """Figures 13 and 14 of the paper: alignment over performance, a panel per metric; columns as for figure 3.

    The dotted line is the mean of the permutation null, where the metric was calibrated.
    """
    names = list(dict.fromkeys(table.name))
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, columns, figsize=(2.4 * columns + 2, 2.1 * rows + 0.6), sharex=True, squeeze=False
        )
        look, nulls = looks(dict.fromkeys(table.model_y), models), []
        for axis, name in zip(axes.flat, names, strict=False):
            mine = table[table.name == name]
            draw_lines(axis, mine, look)
            if mine.null_mean.notna().any():
                nulls.append(axis.axhline(mine.null_mean.mean(), color="0.3", linestyle=":", linewidth=1))
                nulls[0].set_label("mean of the null")
            axis.set_title(metric_label(name))
        for axis in list(axes.flat)[len(names) :]:
            axis.set_visible(False)
        legend(figure, look, models, nulls[:1])
        figure.supylabel("alignment")
        figure.supxlabel(f"{performance_label}\n{caption}", fontsize=8)
    return fitted(figure)


def cknna_sweep(table):
    """CKNNA by variant, language model and k: the mean over pretrained vision models, and the same standardised.

    table: columns metric, k, model_x, score of pretrained vision models. standardised (figure 10 of the paper): minus
    the first language model's value, divided by the standard deviation over language models; missing below three.
    """
    mean = table.groupby(["metric", "k", "model_x"], sort=False).score.mean().reset_index()
    groups = mean.groupby(["metric", "k"], sort=False).score
    enough = groups.transform("size") >= 3
    mean["standardised"] = ((mean.score - groups.transform("first")) / groups.transform("std")).where(enough)
    return mean


def cknna_by_k(sweep, models, caption):
    """Figure 10 of the paper for all variants of CKNNA: what it drew (as coded) and what its equations give.

    sweep: as `cknna_sweep` gives it.
    """
    variants = [m for m in CKNNA if m in set(sweep.metric)]
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(
            2,
            len(variants),
            figsize=(2.5 * len(variants) + 1.6, 4.6),
            sharex=True,
            sharey="row",
            squeeze=False,
        )
        language = list(dict.fromkeys(sweep.model_x))
        shades = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(language)))
        for panels, variant in zip(axes.T, variants, strict=True):
            for model, colour, marker in zip(language, shades, "osD^vPX*<>" * len(language), strict=False):
                mine = sweep[(sweep.metric == variant) & (sweep.model_x == model)].sort_values("k")
                for axis, column in zip(panels, ("score", "standardised"), strict=True):
                    axis.plot(
                        mine.k.astype(int),
                        mine[column],
                        color=colour,
                        marker=marker,
                        label=wrapped(models[model]["label"]),
                    )
            panels[0].set_title(METRICS[variant].label)
            panels[1].set(xscale="log", xlabel="k")
            panels[1].set_xticks(sorted(set(sweep.k.astype(int))), sorted(set(sweep.k.astype(int))))
            panels[1].minorticks_off()
        axes[0, 0].set_ylabel("CKNNA, mean over\nvision models")
        axes[1, 0].set_ylabel("minus the first model,\nby SD over models")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", fontsize=7.5)
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)


def agreement(table):
    """Spearman's rho between all metrics over the model pairs: a square DataFrame; columns name, model_x, model_y, score."""
    wide = table.pivot(index=["model_x", "model_y"], columns="name", values="score")
    return wide[list(dict.fromkeys(table.name))].corr(method="spearman")


def metric_agreement(square, pairs, caption):
    """Figure 12 of the paper: `agreement` as a heatmap, over so many model pairs."""
    with mpl.rc_context(STYLE):
        size = 0.42 * len(square) + 3
        figure, axis = plt.subplots(figsize=(size + 0.8, size))
        heatmap(
            axis,
            square.to_numpy(),
            [metric_label(n) for n in square],
            f"Spearman over {pairs} model pairs",
            vmax=1,
        )
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)


def raw_vs_calibrated(table, correlation, caption):
    """The follow-up's main figure: scores before and after calibration, and their correlation with performance.

    table: columns name, score, tau, null_mean, calibrated_score, q_value of the calibrated pairs. correlation: columns
    name, of ("score" or "calibrated_score"), correlation (Pearson), one row per vision model; may be empty of numbers.
    """
    names = list(dict.fromkeys(table.name))
    height = {name: place for place, name in enumerate(reversed(names))}
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(1, 3, figsize=(9.2, 0.42 * len(names) + 1.9), sharey=True)
        places = table.name.map(height)
        found = table.q_value < 0.05
        for axis, column in zip(axes, ("score", "calibrated_score"), strict=False):
            axis.plot(table[column][found], places[found], "o", markersize=4, color="#31688e", alpha=0.7)
            axis.plot(
                table[column][~found], places[~found], "o", markersize=4, color="0.4", markerfacecolor="white"
            )
            axis.set_xlim(min(0, table[column].min()) - 0.01, None)
        axes[0].plot(table.tau, places, "|", markersize=9, color="#b5367a")
        axes[0].set(title="raw score; bar: threshold of chance", xlabel="alignment")
        axes[1].set(title="calibrated score", xlabel="0: chance, 1: maximum")
        axes[0].set_yticks(list(height.values()), [metric_label(name) for name in height])
        means = correlation.dropna(subset="correlation").groupby(["name", "of"]).correlation.mean().unstack()
        if len(means):
            for column, style in (("score", {"markerfacecolor": "white"}), ("calibrated_score", {})):
                axes[2].plot(
                    means[column], means.index.map(height), "o", color="#31688e", label=column, **style
                )
            axes[2].legend(["raw", "calibrated"], fontsize=7.5)
        else:
            text = "too few language models\nwith bits-per-byte\nfor a correlation"
            axes[2].text(
                0.5, 0.5, text, transform=axes[2].transAxes, ha="center", va="center", style="italic"
            )
        axes[2].set(title="with performance", xlabel="mean Pearson correlation")
        figure.supxlabel(f"filled: q < 0.05 · {caption}", fontsize=7.5, color="0.35")
    return fitted(figure)


def properties(names):
    """Figure 11 of the paper as a DataFrame: what holds of each metric, from the library's catalogue."""
    words = {"symmetric": "symmetric", "is_global": "global", "ordinal": "ordinal", "batchable": "batchable"}
    words |= {"cheap_null": "calibrated by permutation", "official": "in the official code"}
    metrics = list(dict.fromkeys(parse_metric(name)[0] for name in names))
    rows = [{word: getattr(METRICS[m], field) for field, word in words.items()} for m in metrics]
    return pd.DataFrame(rows, index=[METRICS[m].label for m in metrics]).rename_axis("metric")


def metric_properties(table, caption):
    """Figure 11 of the paper: `properties` as a table of marks."""
    with mpl.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6.6, 0.27 * len(table) + 1.3))
        values = table.to_numpy()
        for holds, marker, colour in ((True, "o", "#31688e"), (False, "x", "0.75")):
            rows, columns = np.nonzero(values == holds)
            axis.plot(columns, rows, marker, color=colour, markersize=7)
        axis.set_xticks(range(values.shape[1]), [fill(c, 12) for c in table], fontsize=8)
        axis.set_yticks(range(len(table)), table.index)
        axis.tick_params(length=0, labeltop=True, labelbottom=False)
        axis.set(xlim=(-0.5, values.shape[1] - 0.5), ylim=(len(table) - 0.5, -0.5))
        axis.spines[:].set_visible(False)
        axis.hlines(np.arange(len(table) + 1) - 0.5, -0.5, values.shape[1] - 0.5, color="0.9", linewidth=0.6)
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)
