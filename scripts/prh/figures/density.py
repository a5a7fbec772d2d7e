"""Figure 9 of the paper: alignment as captions say more of what is seen."""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

from prh.figures.style import MARKERS, STYLE, fitted, wrapped
from prh.sources.caption_levels import OWN, is_control
from prh.tables import MEAN


def alignment_by_caption_density(table, models, caption, chance, k):
    """Left: alignment, the mean over trained vision models, over the words of the captions; right: each level's step.

    table: rows of the table caption_density whose vision model is the mean. Bars: intervals over items. Own captions
    and the control are marks of their own, since neither is one more level. Random-init models are grey and dashed.
    """
    table = table[table.vision == MEAN]
    language = list(dict.fromkeys(table.language))
    with mpl.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 4.2), width_ratios=[3, 2])
        for number, (model, style) in enumerate(_looks(language, models).items()):
            mine = table[table.language == model]
            levels = mine[(mine.level != OWN) & ~mine.level.map(is_control)]
            own, control = mine[mine.level == OWN], mine[mine.level.map(is_control)]
            _bars(left, levels, label=wrapped(models[model]["label"]), **style)
            _bars(left, own, **{**style, "linestyle": "none", "marker": "D", "markerfacecolor": "white"})
            _bars(left, control, **{**style, "linestyle": "none", "marker": "x"})
            left.plot(
                mine.words, mine.null_mean, linestyle="none", marker="_", color=style["color"], markersize=9
            )
            steps = levels.dropna(subset="step")
            places = np.arange(len(steps)) + 0.16 * (number - (len(language) - 1) / 2)
            error = [steps.step - steps.step_low, steps.step_high - steps.step]
            right.errorbar(places, steps.step, error, **{**style, "linestyle": "none"}, capsize=2)
        left.axhline(chance, color="0.3", linestyle=":", linewidth=1)
        left.text(0.7, chance, "chance", transform=left.get_yaxis_transform(), ha="center", va="bottom")
        left.set(
            xlabel="words of a caption, mean",
            ylabel=f"alignment (mutual k-NN, k = {k}),\nmean over trained vision models",
            ylim=(0, None),
        )
        names = list(dict.fromkeys(steps.level))
        right.axhline(0, color="0.3", linewidth=0.8)
        right.set_xticks(range(len(names)), [f"up to\n{name.removeprefix('name + ')}" for name in names])
        right.set(ylabel="step from the level before, same items", xlim=(-0.6, len(names) - 0.4))
        handles, _ = left.get_legend_handles_labels()
        plain = {"color": "0.3", "linestyle": "none"}
        handles += [
            Line2D([], [], label="said of another item", marker="x", **plain),
            Line2D([], [], label="null: items permuted", marker="_", **plain),
        ]
        if OWN in set(table.level):
            mark = {"marker": "D", "markerfacecolor": "white"}
            handles.append(Line2D([], [], label="the data set's own captions", **mark, **plain))
        figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=7.5)
        items = f"here {round(k / chance) + 1:,} of them, drawn by the seed"
        figure.supxlabel(f"{caption}\n{items}", fontsize=7.5, color="0.35")
    return fitted(figure)


def _looks(language, models):
    trained = [m for m in language if models[m]["init"] != "random"]
    colours = dict(zip(trained, mpl.colormaps["viridis"](np.linspace(0, 0.75, len(trained))), strict=True))
    found = {}
    for number, model in enumerate(language):
        floor = model not in colours
        found[model] = {
            "color": "0.5" if floor else colours[model],
            "marker": MARKERS[number],
            "markersize": 5,
        }
        found[model] |= {"linestyle": "--" if floor else "-", "linewidth": 1.2}
    return found


def _bars(axis, rows, **style):
    error = [rows.score - rows.ci_low, rows.ci_high - rows.score]
    axis.errorbar(rows.words, rows.score, error, capsize=2, elinewidth=0.8, **style)
