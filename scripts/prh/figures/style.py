"""One style for all figures, readable in colour and in grey; and beside each figure the numbers that it shows."""

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from prh.alignment.catalogue import METRICS, parse_metric
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


def legend(figure, look, models, lines=()):
    """The vision models, and further `lines`, beside the panels."""
    handles = [Line2D([], [], label=models[m]["label"], linewidth=1.2, **style) for m, style in look.items()]
    handles += lines
    figure.legend(handles=handles, loc="outside right center", fontsize=7.5)


def heatmap(axis, square, labels, title, **limits):
    """An annotated matrix with one label per row and column; missing values are grey."""
    import seaborn as sns  # here: it takes as long to import as all the rest, and few figures have a heatmap

    sns.heatmap(
        square, annot=True, fmt=".2f", cmap="viridis", ax=axis, annot_kws={"size": 7}, linewidths=0.5,
        xticklabels=labels, yticklabels=labels, cbar_kws={"label": title}, **limits,
    )  # fmt: skip
    axis.set_facecolor("0.85")
    axis.tick_params(length=0)
    plt.setp(axis.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    plt.setp(axis.get_yticklabels(), rotation=0)
