"""The figures of pairs of models: all with all, and layer by layer."""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from prh.figures.style import STYLE, WIDE, fitted, heatmap, metric_label, wrapped


def alignment_matrix(table, models, caption):
    """All models by all models: the best layer pair's score; table with the columns name, model_x, model_y, score."""
    with mpl.rc_context(STYLE):
        names = [m for m in models if m in set(table.model_x) | set(table.model_y)]
        square = np.full((len(names), len(names)), np.nan)
        for row in table.itertuples():
            i, j = names.index(row.model_x), names.index(row.model_y)
            square[i, j] = square[j, i] = row.score
        labels = [wrapped(models[m]["label"]) for m in names]
        figure, axis = plt.subplots(figsize=(0.62 * len(names) + 3, 0.56 * len(names) + 2.4))
        heatmap(axis, square, labels, f"alignment ({metric_label(table.name.iloc[0])})", vmin=0)
        split = sum(models[m]["modality"] == "language" for m in names)
        if 0 < split < len(names):
            axis.axhline(split, color="white", linewidth=3)
            axis.axvline(split, color="white", linewidth=3)
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)


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
            of_x, of_y = (wrapped(f"layer of {models[m]['label']}", WIDE + 9) for m in (x, y))
            axis.set(xlabel=of_y, ylabel=of_x)
            axis.set_title(f"best {best.score:.3f} at ({int(best.layer_x)}, {int(best.layer_y)})")
        figure.colorbar(image, ax=axes[0].tolist(), label=f"alignment ({metric_label(name)})")
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)
