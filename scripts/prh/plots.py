"""The main figures: one style, readable in colour and in grey, and beside each the numbers that it shows."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.lines import Line2D

from prh.catalogue import METRICS, parse_metric
from prh.tables import write_table

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "figure.constrained_layout.use": True,
}


def save(figure, table, outputs):
    """Write a figure as PDF and PNG and the numbers that it shows as CSV; no dates, so that two runs are identical."""
    try:
        figure.savefig(outputs.pdf, metadata={"CreationDate": None, "Producer": None, "Creator": None})
        figure.savefig(outputs.png, metadata={"Software": None})
    finally:
        plt.close(figure)
    write_table(table, outputs.csv)


def metric_label(name):
    """A metric's name in words, from METRIC@K."""
    metric, k = parse_metric(name)
    return METRICS[metric].label + (f", k = {k}" if k else "")


def looks(vision, models):
    """Colour and marker of each vision model, from dark to light so that they keep their order in grey.

    Random-init models are hollow and grey.
    """
    trained = [m for m in vision if models[m]["init"] != "random"]
    colours = dict(zip(trained, mpl.colormaps["viridis"](np.linspace(0, 0.88, len(trained))), strict=True))
    found = {}
    for number, model in enumerate(vision):
        floor = model not in colours
        colour = "0.45" if floor else colours[model]
        found[model] = {"color": colour, "marker": MARKERS[number % len(MARKERS)], "markersize": 6}
        found[model] |= {"markerfacecolor": "white", "linestyle": "--"} if floor else {"linestyle": "-"}
    return found


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
        if few < 3:
            note = f"{few} language models with bits-per-byte: too few for a correlation"
            axes[0].text(
                0.99, 0.02, note, transform=axes[0].transAxes, ha="right", fontsize=7.5, style="italic"
            )
        axes[1].set_xticks(range(len(others)), [_broken(models[m]["label"]) for m in others])
        axes[1].set(xlim=(-0.6, max(len(others), 1) - 0.4), xlabel="no bits-per-byte")
        axes[1].set_visible(bool(others))
        axes[0].set(xlabel=performance_label, ylabel=f"alignment ({metric_label(table.name.iloc[0])})")
        axes[0].set_ylim(0, None)
        axes[0].margins(x=0.14)
        order = table.groupby("model_y").score.max().sort_values(ascending=False).index
        legend(figure, {m: look[m] for m in order}, models)
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return figure


def draw_lines(axis, table, look, column="score"):
    """Alignment over 1 - bits-per-byte, a line per vision model, for the language models that have it."""
    for model, style in look.items():
        mine = table[(table.model_y == model) & table.bits_per_byte.notna()].sort_values("bits_per_byte")
        axis.plot(1 - mine.bits_per_byte, mine[column], linewidth=1.2, **style)


def legend(figure, look, models, lines=()):
    """The vision models, and further `lines`, beside the panels."""
    handles = [Line2D([], [], label=models[m]["label"], linewidth=1.2, **style) for m, style in look.items()]
    handles += lines
    figure.legend(handles=handles, loc="outside right center", fontsize=7.5)


def alignment_matrix(table, models, caption):
    """All models by all models: the best layer pair's score; table with the columns name, model_x, model_y, score."""
    with mpl.rc_context(STYLE):
        names = [m for m in models if m in set(table.model_x) | set(table.model_y)]
        square = np.full((len(names), len(names)), np.nan)
        for row in table.itertuples():
            i, j = names.index(row.model_x), names.index(row.model_y)
            square[i, j] = square[j, i] = row.score
        labels = [models[m]["label"] for m in names]
        figure, axis = plt.subplots(figsize=(0.62 * len(names) + 3, 0.56 * len(names) + 2.4))
        heatmap(axis, square, labels, f"alignment ({metric_label(table.name.iloc[0])})", vmin=0)
        split = sum(models[m]["modality"] == "language" for m in names)
        axis.axhline(split, color="white", linewidth=3)
        axis.axvline(split, color="white", linewidth=3)
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return figure


def heatmap(axis, square, labels, title, **limits):
    """An annotated matrix with one label per row and column; missing values are grey."""
    sns.heatmap(
        square, annot=True, fmt=".2f", cmap="viridis", ax=axis, annot_kws={"size": 7}, linewidths=0.5,
        xticklabels=labels, yticklabels=labels, cbar_kws={"label": title}, **limits,
    )  # fmt: skip
    axis.set_facecolor("0.85")
    axis.tick_params(length=0)
    plt.setp(axis.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    plt.setp(axis.get_yticklabels(), rotation=0)


def layer_alignment(table, pairs, models, caption, name):
    """Layer by layer heatmaps of chosen model pairs; table with model_x, layer_x, model_y, layer_y, score."""
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(pairs), figsize=(3.4 * len(pairs) + 0.8, 4), squeeze=False)
        for axis, (x, y) in zip(axes[0], pairs, strict=True):
            mine = table[(table.model_x == x) & (table.model_y == y)]
            grid = mine.pivot(index="layer_x", columns="layer_y", values="score")
            image = axis.imshow(
                grid,
                origin="lower",
                aspect="auto",
                cmap="viridis",
                vmin=min(0, table.score.min()),
                vmax=table.score.max(),
            )
            best = mine.loc[mine.score.idxmax()]
            axis.plot(
                best.layer_y, best.layer_x, marker="o", markersize=9, markerfacecolor="none", color="red"
            )
            axis.set(xlabel=f"layer of {models[y]['label']}", ylabel=f"layer of {models[x]['label']}")
            axis.set_title(f"best {best.score:.3f} at ({int(best.layer_x)}, {int(best.layer_y)})")
        figure.colorbar(image, ax=axes[0].tolist(), label=f"alignment ({metric_label(name)})")
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return figure


def _name_language_models(axis, table, models):
    """Names above their points, on several levels where points are close, so that they do not overlap."""
    places = (
        table.dropna(subset="bits_per_byte")
        .drop_duplicates("model_x")
        .sort_values("bits_per_byte", ascending=False)
    )
    gap = 0.2 * max(np.ptp(places.bits_per_byte), 1e-9)
    levels = []  # the last place on each level
    for row in places.itertuples():
        place = 1 - row.bits_per_byte
        level = next((i for i, last in enumerate(levels) if place - last > gap), len(levels))
        levels[level : level + 1] = [place]
        axis.axvline(place, color="0.9", linewidth=0.8, zorder=0)
        text = _broken(models[row.model_x]["label"])
        axis.annotate(
            text, (place, 1.01 + 0.09 * level), xycoords=("data", "axes fraction"), ha="center", fontsize=7.5
        )


def _broken(label):
    return label.replace(" (", "\n(")
