"""One style for all figures, readable in colour and in grey; users' words as they are; and beside each figure its numbers."""

import sys
import warnings
from functools import cache
from itertools import pairwise
from textwrap import wrap
from unicodedata import east_asian_width

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, LogFormatter, NullFormatter, StrMethodFormatter

from prh.alignment.catalogue import METRICS, parse_metric
from prh.tables import write_table

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
# For what the first one has not, the next that this machine has: Chinese, Japanese, Korean.
FONTS = (
    "DejaVu Sans",
    *(
        "Noto Sans CJK SC",
        "Noto Sans CJK JP",
        "Noto Sans SC",
        "Noto Sans JP",
        "Noto Sans KR",
        "Source Han Sans SC",
    ),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "IPAexGothic", "NanumGothic", "Droid Sans Fallback"),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *("SimHei", "Arial Unicode MS", "Unifont"),
)
WIDE = 36  # letters of a label on a line
WIDTH, HEIGHT = 1.3, 0.6  # inches: what the widest of the axes has at least, and the lowest
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
    "text.parse_math": False,  # a dollar in a label is a dollar
    "font.family": [
        name for name in FONTS if name == FONTS[0] or name in font_manager.fontManager.get_font_names()
    ],
}


def save(figure, table, outputs):
    """Write a figure as PDF and PNG and the numbers that it shows as CSV; no dates, so that two runs are identical.

    Letters that no font of this machine has are named, in the log and at the foot of the figure.
    """
    try:
        lacking = "".join(sorted(undrawable(figure)))
        if lacking:
            note = f"no font here has {' '.join(f'U+{ord(c):04X}' for c in lacking[:8])}{' ...' * (len(lacking) > 8)}"
            print(f"{note}: {lacking}; install one, as Noto Sans CJK", file=sys.stderr)
            foot = figure.get_supxlabel()
            figure.supxlabel(f"{foot}\n{note}" if foot else note, fontsize=7.5, color="0.35")
        fitted(figure)
        figure.set_layout_engine("none")  # found once, for both files
        words = {key: STYLE[key] for key in ("text.parse_math", "font.family")}
        with mpl.rc_context(words), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")  # they were named
            figure.savefig(outputs.pdf, metadata={"CreationDate": None, "Producer": None, "Creator": None})
            figure.savefig(outputs.png, metadata={"Software": None})
    finally:
        plt.close(figure)
    write_table(table, outputs.csv)


def wrapped(label, width=WIDE):
    """A label on lines of at most so many letters, of which a Chinese, Japanese or Korean one takes the place of two."""
    lines = []
    for line in str(label).split("\n"):
        wide = any(east_asian_width(letter) in "WF" for letter in line)
        lines += wrap(line, max(1, width // 2) if wide else width) or [""]
    return "\n".join(lines)


@cache
def _letters():
    """Code points that the fonts of the style have."""
    fonts = (font_manager.get_font(font_manager.findfont(name)) for name in STYLE["font.family"])
    return frozenset(point for font in fonts for point in font.get_charmap())


def undrawable(figure):
    """Letters in a figure's texts that no font of the style has."""
    said = {letter for text in figure.findobj(Text) for letter in text.get_text() if letter.isprintable()}
    return {letter for letter in said if ord(letter) not in _letters()}


def fitted(figure):
    """The figure, enlarged until no text leaves it and all axes have room; titles are wrapped to its width.

    A figure that all of it fits into stays as it is.
    """
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(8):
            figure.draw_without_rendering()
            if not (_wrap_titles(figure) or _turn_ticks(figure) or _enlarge(figure)):
                break
    return figure


def _wrap_titles(figure):
    """Wrap what stands over and under the whole figure to its width, and names of axes to theirs; whether there was something to wrap."""
    found = False
    places = [(text, figure.bbox.width) for text in (figure._suptitle, figure._supxlabel) if text]
    places += [(axis.xaxis.label, 1.2 * axis.bbox.width) for axis in figure.axes if axis.get_visible()]
    for text, room in places:
        whole, letters = text.get_text(), max(map(len, text.get_text().split("\n")))
        while letters > 20 and text.get_window_extent().width > room:
            letters = min(letters - 4, int(letters * room / text.get_window_extent().width))
            text.set_text(wrapped(whole, letters))
            found = True
    return found


def _turn_ticks(figure):
    """Turn the words under an axis so far that they do not run into each other; whether there was something to turn."""
    found = False
    for axis in figure.axes:
        words = [text for text in axis.get_xticklabels() if text.get_text()]
        if not (
            axis.get_visible() and len(words) > 1 and isinstance(axis.xaxis.get_major_locator(), FixedLocator)
        ):
            continue
        before = words[0].get_rotation()
        angle = next(
            angle for angle in (before, 30, 45, 60, 90) if angle >= before and _apart(axis, words, angle)
        )
        if angle != before:
            plt.setp(
                words,
                rotation=angle,
                ha="right",
                va="top" if angle < 90 else "center",
                rotation_mode="anchor",
            )
            found = True
    return found


def _apart(axis, words, angle):
    """Whether words under an axis are apart if they stand at this angle, in degrees; upright is all that can be done."""
    boxes = [text.get_window_extent() for text in words]
    if angle == 0:
        return all(a.x1 < b.x0 + 1 for a, b in pairwise(boxes))
    lines = max(text.get_text().count("\n") + 1 for text in words)
    high = 1.2 * lines * words[0].get_fontsize() / 72
    place = axis.transData.transform([(text.get_position()[0], 0) for text in words])[:, 0]
    return angle == 90 or np.diff(place).min() / axis.figure.dpi * np.sin(np.radians(angle)) > 0.9 * high


def _enlarge(figure):
    """Make the figure larger by what leaves it, or where axes have no room; whether there was something to do."""
    (width, height), box = figure.get_size_inches(), figure.get_tightbbox()  # in inches
    axes = [axis for axis in figure.axes if axis.get_visible() and not hasattr(axis, "_colorbar")]
    across, down = np.array([axis.bbox.size / figure.dpi for axis in axes]).T if axes else ([WIDTH], [HEIGHT])
    beside = max(0, -box.x0, box.x1 - width) + max(0, WIDTH - max(across))
    above = max(0, -box.y0, box.y1 - height) + max(0, HEIGHT - min(down))
    if max(beside, above) < 0.01:
        return False
    figure.set_size_inches(width + np.ceil(10 * beside) / 10, height + np.ceil(10 * above) / 10)
    return True


def plain_powers(axis):
    """Numbers of a logarithmic axis without formulas, as 0.1: texts of the style are no formulas."""
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(LogFormatter() if axis.get_scale() == "log" else NullFormatter())


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
    handles = [
        Line2D([], [], label=wrapped(models[m]["label"]), linewidth=1.2, **style) for m, style in look.items()
    ]
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
