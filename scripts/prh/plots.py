"""The figures: one style, readable in colour and in grey, and beside each the numbers that it shows."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.lines import Line2D

from prh.tables import write_table

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "prh",  # no random ids
}


def palette(count):
    """Colours from dark to light, so that they keep their order in grey."""
    return sns.color_palette("viridis", count + 1)[:count]


def save(figure, table, outputs):
    """Write a figure as PDF and PNG and the numbers that it shows as CSV; no dates, so that two runs are identical."""
    figure.savefig(
        outputs.pdf, bbox_inches="tight", metadata={"CreationDate": None, "Producer": None, "Creator": None}
    )
    figure.savefig(outputs.png, bbox_inches="tight", metadata={"Software": None})
    write_table(table, Path(outputs.csv))
    plt.close(figure)


def alignment_vs_performance(table, models, caption, performance_label, metric_label):
    """Figure 3 of the paper: alignment over language-model performance, a line per vision model.

    table: columns model_x (language), model_y (vision), score, chance, bits_per_byte (NaN for a model that has none).
    models: rows of the model table by name. Random-init models are drawn hollow and dashed, as floors; language models
    without bits-per-byte in a strip of their own.
    """
    with mpl.rc_context(STYLE):
        scored = table[table.bits_per_byte.notna()].assign(performance=lambda t: 1 - t.bits_per_byte)
        others = table[table.bits_per_byte.isna()]
        figure, (axis, strip, names) = plt.subplots(
            1,
            3,
            figsize=(8.6, 4.4),
            sharey=True,
            width_ratios=[5, max(0.9, 0.9 * others.model_x.nunique()), 1.6],
        )
        vision = list(dict.fromkeys(table.model_y))
        colours, ends = palette(len(vision)), {}
        strip_places = {model: place for place, model in enumerate(dict.fromkeys(others.model_x))}
        for number, (model, colour) in enumerate(zip(vision, colours, strict=True)):
            floor = models[model]["init"] == "random"
            look = {"color": colour, "marker": MARKERS[number % len(MARKERS)], "markersize": 6}
            look |= {"markerfacecolor": "white"} if floor else {}
            mine = scored[scored.model_y == model].sort_values("performance")
            axis.plot(mine.performance, mine.score, linestyle="--" if floor else "-", linewidth=1.2, **look)
            rest = others[others.model_y == model]
            strip.plot(rest.model_x.map(strip_places), rest.score, linestyle="none", **look)
            ends[model] = (rest if len(rest) else mine).score.iloc[-1]
        for panel in (axis, strip):
            panel.axhline(table.chance.iloc[0], color="0.4", linestyle=":", linewidth=1)
        axis.annotate(
            "chance",
            (0.01, table.chance.iloc[0]),
            xycoords=("axes fraction", "data"),
            va="bottom",
            fontsize=8,
        )
        _name_language_models(axis, scored, models)
        strip.set_xticks(list(strip_places.values()), [_short(models[m]["label"]) for m in strip_places])
        strip.set_xlim(-0.5, max(len(strip_places), 1) - 0.5)
        strip.set_xlabel("no bits-per-byte")
        strip.set_visible(bool(strip_places))
        _name_lines(names, ends, {m: models[m]["label"] for m in vision}, colours)
        axis.set(xlabel=performance_label, ylabel=f"alignment ({metric_label})", ylim=(0, None))
        axis.margins(x=0.12)
        _caption(figure, caption)
    return figure


def alignment_matrix(table, models, caption, metric_label):
    """All models by all models: the best layer pair's score; table with the columns model_x, model_y, score."""
    with mpl.rc_context(STYLE):
        names = [m for m in models if m in set(table.model_x) | set(table.model_y)]
        square = np.full((len(names), len(names)), np.nan)
        for row in table.itertuples():
            i, j = names.index(row.model_x), names.index(row.model_y)
            square[i, j] = square[j, i] = row.score
        labels = [models[m]["label"] for m in names]
        figure, axis = plt.subplots(figsize=(0.62 * len(names) + 2.6, 0.56 * len(names) + 1.8))
        sns.heatmap(
            square, annot=True, fmt=".2f", cmap="viridis", vmin=0, ax=axis, annot_kws={"size": 7}, linewidths=0.5,
            xticklabels=labels, yticklabels=labels, cbar_kws={"label": f"alignment ({metric_label})"},
        )  # fmt: skip
        axis.set_facecolor("0.85")
        axis.tick_params(length=0)
        plt.setp(axis.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
        split = sum(models[m]["modality"] == "language" for m in names)
        axis.axhline(split, color="white", linewidth=3)
        axis.axvline(split, color="white", linewidth=3)
        _caption(figure, caption)
    return figure


def layer_alignment(table, pairs, models, caption, metric_label):
    """Layer by layer heatmaps of chosen model pairs; table with model_x, layer_x, model_y, layer_y, score."""
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(pairs), figsize=(3.4 * len(pairs) + 0.8, 4.2), squeeze=False)
        top = table.score.max()
        for axis, (x, y) in zip(axes[0], pairs, strict=True):
            mine = table[(table.model_x == x) & (table.model_y == y)]
            grid = mine.pivot(index="layer_x", columns="layer_y", values="score")
            image = axis.imshow(grid, origin="lower", aspect="auto", cmap="viridis", vmin=0, vmax=top)
            best = mine.loc[mine.score.idxmax()]
            axis.plot(
                best.layer_y, best.layer_x, marker="o", markersize=9, markerfacecolor="none", color="red"
            )
            axis.set(xlabel=f"layer of {models[y]['label']}", ylabel=f"layer of {models[x]['label']}")
            axis.set_title(f"best: {best.score:.3f} at ({int(best.layer_x)}, {int(best.layer_y)})")
        figure.tight_layout()
        figure.colorbar(
            image, ax=axes[0].tolist(), label=f"alignment ({metric_label})", fraction=0.05, pad=0.02
        )
        _caption(figure, caption)
    return figure


def _name_language_models(axis, scored, models):
    """Names of the language models below their points, turned so that they cannot overlap."""
    places = scored.drop_duplicates("model_x").sort_values("performance")
    gap, last, level = 0.12 * max(np.ptp(places.performance), 1e-9), -np.inf, 0
    for row in places.itertuples():
        level = (level + 1) % 3 if row.performance - last < gap else 0
        last = row.performance
        axis.axvline(row.performance, color="0.9", linewidth=0.8, zorder=0)
        text = _short(models[row.model_x]["label"])
        axis.annotate(
            text,
            (row.performance, 1.01 + 0.08 * level),
            xycoords=("data", "axes fraction"),
            ha="center",
            fontsize=7.5,
        )


def _name_lines(axis, ends, labels, colours):
    """The legend: names of the vision models at the height of their lines' ends, moved apart where they are close."""
    axis.axis("off")
    low, high = axis.get_ylim()
    step = 0.055 * (max(ends.values()) * 1.1)
    order = sorted(ends, key=ends.get)
    heights = []
    for model in order:
        heights.append(max(ends[model], heights[-1] + step if heights else -np.inf))
    excess = max(0.0, heights[-1] - max(ends.values()) * 1.02)
    heights = [h - excess * i / max(len(order) - 1, 1) for i, h in enumerate(heights)]
    for model, height in zip(order, heights, strict=True):
        number = list(ends).index(model)
        floor = "random" in labels[model]
        handle = Line2D(
            [0.0], [height], color=colours[number], marker=MARKERS[number % len(MARKERS)], markersize=6
        )
        handle.set_markerfacecolor("white" if floor else colours[number])
        axis.add_line(handle)
        axis.text(0.08, height, labels[model], va="center", fontsize=7.5, transform=axis.transData)
    axis.set_xlim(-0.1, 1)
    axis.set_ylim(low, high)


def _short(label):
    return label.replace(" (", "\n(")


def _caption(figure, text):
    figure.text(0.5, -0.02, text, ha="center", va="top", fontsize=7.5, color="0.35", wrap=True)
