"""The figures of published numbers: by themselves, and beside this run's."""

from string import ascii_lowercase

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from prh.alignment.catalogue import METRICS
from prh.figures.comparison import BOTH
from prh.figures.style import MARKERS, STYLE, fitted
from prh.performance.published import MEANS, ONLY_PUBLISHED

# Of MEANS: colour, marker, line.
LOOKS = ("#31688e", "o", "-"), ("0.4", "s", ":"), ("#b5367a", "^", "--")


def published_alignment(table, caption):
    """Figures 3 and 4 of the paper from published numbers, all marks hollow; table as `comparison.claim` gives it.

    The letters at a mark say where its numbers come from; a model without y is a line at its x.
    """
    panels = list(dict.fromkeys(table.panel))
    named = table.model.str.extract(r"^(?P<family>.+)[-_](?P<size>[^-_]+)$")
    letters, marks = _letters(table.source)
    table, families = table.assign(**named, letters=marks), list(dict.fromkeys(named.family))
    shades = mpl.colormaps["viridis"](np.linspace(0, 0.8, len(families)))
    looks = {f: {"edgecolor": c, "marker": m} for f, c, m in zip(families, shades, MARKERS, strict=False)}
    rows = -(-len(panels) // 2)
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(rows, 2, figsize=(8.4, 3.3 * rows + 0.8), squeeze=False)
        for axis, panel in zip(axes.flat, panels, strict=False):
            mine = table[table.panel == panel]
            for family, look in looks.items():
                part = mine[mine.family == family]
                axis.scatter(part.x, part.y, s=30, facecolor="white", label=family, zorder=2, **look)
            for row in mine.itertuples():
                text, side = f"{row.size}$^{{{row.letters}}}$", 1 - 2 * (families.index(row.family) % 2)
                place = {"textcoords": "offset points", "fontsize": 7, "color": "0.35", "parse_math": True}
                if row.y == row.y:
                    place["ha"] = "left" if side > 0 else "right"  # families near each other, on two sides
                    axis.annotate(text, (row.x, row.y), (5 * side, -2), **place)
                else:
                    axis.axvline(row.x, color=looks[row.family]["edgecolor"], linewidth=0.8, linestyle=":")
                    said, at = f"{row.family}-{text}, no alignment", ("data", "axes fraction")
                    axis.annotate(said, (row.x, 0), (3, 4), at, **place)
            first, drawn = mine.iloc[0], int(mine.y.notna().sum())
            said = f"r = {first.pearson:.3f} [{first.ci_low:.2f}, {first.ci_high:.2f}], {drawn} models"
            if np.isnan(first.pearson):
                said = f"{drawn} models, too few for r"
            axis.set_title(f"{panel}: {said}", fontsize=8.5)
            axis.set(xlabel=first.x_label, ylabel=first.y_label)
            axis.margins(x=0.18, y=0.12)
            axis.locator_params(axis="x", nbins=5)
        for axis in list(axes.flat)[len(panels) :]:
            axis.set_visible(False)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", fontsize=7.5)
        _say(
            figure,
            "Published by others: figures 3 and 4; apart from them, the project page",
            letters,
            caption,
        )
    return fitted(figure)


def published_by_metric(table, caption):
    """Published means over model pairs by metric and k: scores, their null, and calibrated, all marks hollow.

    table: as `comparison.means` gives it. A panel per metric, and one for those without k; the letters say where a line is from.
    """
    letters, marks = _letters(table.source)
    looks = {}
    for mean, (colour, marker, line) in zip(MEANS, LOOKS, strict=True):
        found = "".join(dict.fromkeys(marks[table.quantity == mean].sum()))
        looks[mean] = {"label": f"{mean}$^{{{found}}}$", "color": colour, "marker": marker, "linestyle": line}
        looks[mean] |= {"markerfacecolor": "white", "markersize": 5}
    single = table.k.isna()
    metrics = list(dict.fromkeys(table.metric[~single]))
    with mpl.rc_context(STYLE):
        size = 2, -(-(len(metrics) + 1) // 2)
        figure, axes = plt.subplots(*size, figsize=(8.8, 5.6), sharey=True, squeeze=False)
        for axis, metric in zip(axes.flat, [*metrics, None], strict=False):
            here = table[single] if metric is None else table[table.metric == metric]
            for mean, look in looks.items():
                mine = here[here.quantity == mean]
                if metric is None:
                    axis.plot(mine.metric.map(_label), mine.value, **look | {"linestyle": "none"})
                else:
                    axis.plot(mine.k.astype(int), mine.value, **look)
            axis.set(title=_label(metric) if metric else "without k", xlabel="k" if metric else "")
        axis.margins(x=0.4)
        figure.supylabel("mean over 170 pairs", fontsize=9)
        names = figure.legend(
            *axes[0, 0].get_legend_handles_labels(), loc="outside right center", fontsize=7.5
        )
        for text in names.get_texts():
            text.set_parse_math(True)  # the letters of their sources, raised
        _say(figure, "Published by others: alignment, chance, and what is left", letters, caption)
    return fitted(figure)


def _label(metric):
    return METRICS[metric].label if metric in METRICS else ONLY_PUBLISHED[metric]


def _letters(sources):
    """A letter for each source, the rows of a table being one; and of each of `sources` its letters."""
    parts = sources.map(lambda both: list(dict.fromkeys(s.split(", row ")[0] for s in both.split(BOTH))))
    letters = dict(zip(dict.fromkeys(s for part in parts for s in part), ascii_lowercase, strict=False))
    return letters, parts.map(lambda part: "".join(letters[s] for s in part))


def _say(figure, title, letters, caption):
    """What a figure of published numbers is, and where they come from."""
    figure.suptitle(title, fontsize=10)
    lines = [caption, *(f"{letter}: {source}" for source, letter in letters.items())]
    figure.supxlabel("\n".join(lines), x=0.02, ha="left", fontsize=7, color="0.35")


def reproduced_vs_published(table, caption):
    """Published numbers and this run's: a panel per quantity, on the diagonal where they are equal.

    table: as `comparison.compare` gives it; the largest difference stands in each panel.
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
            shown = (both if len(both) else mine)[["value", "ours"]]
            low, high = np.nanmin(shown), np.nanmax(shown)
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
    return fitted(figure)
