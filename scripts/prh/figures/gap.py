"""The modality gap: how far apart two towers of one space lie, and what retrieval and alignment make of it."""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

from prh.figures.style import MARKERS, STYLE, fitted, wrapped

CONES = {
    "cosine_images": "images with images",
    "cosine_texts": "texts with texts",
    "cosine_matched": "an image with its text",
    "cosine_unmatched": "with another's text",
}
FINDS = {"image_to_text": "-", "text_to_image": "--"}


def modality_gap(table, models, caption):
    """Cones without a shift; loss, retrieval and mutual k-NN over the gap as images are moved towards texts. table: rows of GAP."""
    names = list(dict.fromkeys(table.model))
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(names)))
    with mpl.rc_context(STYLE):
        figure, (cones, loss, finds, knn) = plt.subplots(1, 4, figsize=(12, 3.6))
        for number, (name, colour) in enumerate(zip(names, colours, strict=True)):
            rows = table[table.model == name]
            style = {"color": colour, "marker": MARKERS[number], "markersize": 4}
            now = rows[rows["shift"] == 0].iloc[0]
            cones.plot([now[column] for column in CONES], range(len(CONES)), linestyle="none", **style)
            loss.plot(rows.gap, rows.loss, **style)
            for column, line in FINDS.items():
                error = [rows[column] - rows[f"{column}_low"], rows[f"{column}_high"] - rows[column]]
                finds.errorbar(rows.gap, rows[column], error, linestyle=line, elinewidth=0.8, **style)
            knn.plot(
                rows.gap,
                rows.mutual_knn,
                label=wrapped(f"{models[name]['label']}: gap {now.gap:.2f}"),
                **style,
            )
            for axis in (loss, finds, knn):
                axis.axvline(now.gap, color=colour, linewidth=0.8, linestyle=":")
        n = table.n.iloc[0]
        for axis, chance in ((loss, np.log(n)), (finds, 1 / n)):
            axis.axhline(chance, color="0.5", linewidth=0.8)
        cones.set_yticks(range(len(CONES)), CONES.values())
        cones.invert_yaxis()
        cones.set(xlabel="mean cosine", title="as the model has it")
        for axis, words in (
            (loss, "contrastive loss (nats)"),
            (finds, "partner found first"),
            (knn, "mutual k-NN"),
        ):
            axis.set(xlabel="gap, as images move to texts", ylabel=words)
        knn.set_ylim(0, None)
        lines = [Line2D([], [], color="0.3", linestyle=line) for line in FINDS.values()]
        finds.legend(lines, ["image to text", "text to image"], fontsize=7)
        figure.legend(loc="outside upper center", ncols=3, fontsize=7.5)
        figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return fitted(figure)
