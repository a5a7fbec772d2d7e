"""Users' words in figures: drawn as they are, wrapped where they are long, within the figure and beside the axes."""

import copy
import itertools
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import test_figures
import test_published
from matplotlib.text import Text

from prh.figures import style
from prh.figures.colour import colour_geometry
from prh.figures.comparison import HERE
from prh.figures.density import alignment_by_caption_density
from prh.figures.gap import modality_gap
from prh.figures.layers import distance_windows, layers_described, neighbours_vs_distances
from prh.figures.metrics import alignment_by_metric, cknna_by_k, cknna_sweep
from prh.figures.over_n import alignment_over_n
from prh.figures.pairs import alignment_matrix, layer_alignment
from prh.figures.performance import alignment_by_family, alignment_vs_downstream, alignment_vs_performance
from prh.figures.style import save, undrawable, wrapped
from prh.figures.vision import vision_map
from prh.sources.caption_levels import OWN
from prh.tables import FIXED, MEAN, SHARE

ODD = (
    "Ba$$in",
    r"cost $\alph$",
    "A label of 58 letters, which is a good deal longer than ours",
    "x" * 58,
    "a_b {English} <b>100 %</b> & ^2",
)
TITLE = "R$^{2}$ study {of} 100 % of_all, and a title that says " + "all there is to say of it, " * 8
CAPTION, MEASURE = (
    TITLE,
    "1 - bits per byte on a corpus {English} $x$ whose name is longer than anybody thought it was",
)
LANGUAGE, VISION = ("rand", "small", "middle"), ("noise", "cnn", "vit")


def odd(models):
    """The same models with labels that take one of ODD each, in turn."""
    found = copy.deepcopy(models)
    for facts, label in zip(found.values(), itertools.cycle(ODD), strict=False):
        facts.update(label=label, family=label)
    return found


MODELS = odd(test_figures.MODELS)


def drawings():
    table = test_figures.across()
    yield alignment_vs_performance(table, MODELS, CAPTION, MEASURE)
    yield alignment_vs_performance(table.assign(bits_per_byte=float("nan")), MODELS, CAPTION, MEASURE)
    yield alignment_matrix(table, MODELS, CAPTION)
    layers = pd.DataFrame({"layer_x": [0, 0, 1, 1], "layer_y": [0, 1, 0, 1], "score": [0.1, 0.2, 0.3, 0.4]})
    pairs = [("small", "cnn"), ("middle", "vit")]
    parts = [layers.assign(model_x=x, model_y=y) for x, y in pairs]
    yield layer_alignment(pd.concat(parts), pairs, MODELS, CAPTION, "mutual_knn@10")
    yield alignment_by_metric(test_figures.across(["mutual_knn@10", "cka"]), MODELS, CAPTION, MEASURE)
    yield cknna_by_k(cknna_sweep(test_figures.across(["cknna@10", "cknna@50"])), MODELS, CAPTION)
    described = [
        {"model": m, "layer": i, "mean_cosine": 0.5, "dimension": 3.0 * 10**i, "clamped": 0.1}
        for m in (*LANGUAGE, *VISION)
        for i in range(3)
    ]
    yield layers_described(pd.DataFrame(described), MODELS, CAPTION)
    seen = {
        "layer_x": 1,
        "layer_y": 2,
        "score": 0.2,
        "ci_low": 0.1,
        "ci_high": 0.3,
        "tau": 0.05,
        "null_mean": 0.0,
    }
    windows = [
        {"model_x": x, "model_y": y, "low": i / 4, "high": (i + 1) / 4, "null_sd": 0.01, **seen}
        for (x, y), i in itertools.product(pairs, range(4))
    ]
    yield distance_windows(pd.DataFrame(windows), MODELS, CAPTION)
    both = test_figures.across(["mutual_knn@10", "cknna@10"]).assign(ci_low=0.01, ci_high=0.2)
    yield neighbours_vs_distances(both, MODELS, CAPTION, 10)
    levels = [
        {"language": m, "vision": MEAN, "level": level, "words": i, "step": 0.01 * i if i else None, **seen}
        for m in LANGUAGE
        for i, level in enumerate(["name", "name + 2 keywords", "name + 2 keywords, of another item", OWN])
    ]
    density = pd.DataFrame(levels).assign(step_low=0, step_high=0.05)
    yield alignment_by_caption_density(density, MODELS, CAPTION, 0.1, 10)
    spaces = ["pixels", *LANGUAGE]
    places = [
        {"space": s, "true_l": 50, "true_a": 10 * i, "true_b": 5, "l": 50, "a": 8 * i, "b": 6}
        for s in spaces
        for i in range(3)
    ]
    found = {f"{q}{end}": 0.5 for q in ("rho", "r2") for end in ("", "_low", "_high", "_null95", "_p")}
    labels = {m: MODELS[m]["label"] for m in LANGUAGE} | {"pixels": f"pixels of {ODD[2]}"}
    colours = pd.DataFrame([{"space": s, **found} for s in spaces])
    yield colour_geometry(pd.DataFrame(places), colours, labels, CAPTION)
    facts = {"share": 0.5, "agreement": 0.9, "agreement_null": 0.2}
    on_map = [
        {"label": MODELS[m]["label"], "training": MODELS[m]["label"], "x": i, "y": i * i % 5, **facts}
        for i, m in enumerate(MODELS)
    ]
    yield vision_map(pd.DataFrame(on_map), CAPTION, "metric MDS")
    towers = {f"cosine_{which}": 0.3 for which in ("images", "texts", "matched", "unmatched")}
    towers |= {
        f"{way}{end}": 0.5 for way in ("image_to_text", "text_to_image") for end in ("", "_low", "_high")
    }
    gaps = [
        {"model": m, "n": 100, "shift": s, "gap": 1 - s, "loss": 1 + s, "mutual_knn": 0.2, **towers}
        for m in MODELS
        for s in (0, 0.5)
    ]
    yield modality_gap(pd.DataFrame(gaps), MODELS, CAPTION)
    rows = [
        {"origin": whose, "model_x": x, "model_y": y, "rule": rule, "n": n, "k": 10, "draws": 8 - n // 200}
        for whose, x, y in ((HERE, "small", "cnn"), (HERE, "middle", "vit"), (ODD[2], MEAN, MEAN))
        for rule in (FIXED, SHARE)
        for n in (128, 1024, 1314)
    ]
    ends = dict.fromkeys(("low", "calibrated_low", "null_mean"), 0.1) | dict.fromkeys(
        ("high", "calibrated_high"), 0.3
    )
    over = pd.DataFrame(rows).assign(score=0.2, calibrated_score=0.2, fixed_layers_score=0.15, **ends)
    yield alignment_over_n(over, MODELS, 10, 0.01, CAPTION)
    published = odd(test_published.MODELS)
    yield alignment_by_family(test_published.alignment(), published, CAPTION, MEASURE)
    scores = pd.DataFrame(
        {"model": ["small", "large"], "model_y": "vit", "name": "mutual_knn@10", "score": [0.1, 0.2]}
    ).assign(measure="gsm8k", shots=5, value=[0.3, 0.6], source="measured")
    scores["model"] = list(published)[:2]
    scores["model_y"] = list(published)[-1]
    yield alignment_vs_downstream(
        scores, {m: {"parameters": 1e9, **f} for m, f in published.items()}, CAPTION
    )


NAMES = (
    "performance", "no_performance", "matrix", "layers", "by_metric", "cknna", "described", "windows", "neighbours",
    "density", "colours", "map", "gap", "over_n", "families", "downstream",
)  # fmt: skip


def texts(figure):
    """The texts of a figure that are drawn, with the place of each."""
    shown = {
        id(text): text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()
    }
    for axis in figure.axes:
        drawn = {id(text) for tick in axis.xaxis._update_ticks() for text in (tick.label1, tick.label2)}
        drawn |= {id(text) for tick in axis.yaxis._update_ticks() for text in (tick.label1, tick.label2)}
        ticks = [*axis.get_xticklabels(which="both"), *axis.get_yticklabels(which="both")]
        for text in ticks:
            if id(text) not in drawn or not axis.get_visible():
                shown.pop(id(text), None)
        if not axis.get_visible():
            for text in axis.findobj(Text):
                shown.pop(id(text), None)
    return [(text, text.get_window_extent()) for text in shown.values()]


@pytest.fixture(scope="module")
def drawn():
    found = dict(zip(NAMES, drawings(), strict=True))
    for figure in found.values():
        figure.canvas.draw()
    yield found
    plt.close("all")


@pytest.mark.parametrize("name", NAMES)
def test_no_text_leaves_the_figure(drawn, name):
    width, height = drawn[name].bbox.size
    for text, box in texts(drawn[name]):
        inside = box.x0 > -1 and box.y0 > -1 and box.x1 < width + 1 and box.y1 < height + 1
        assert inside, (text.get_text(), box, width, height)


@pytest.mark.parametrize("name", NAMES)
def test_labels_stand_beside_the_axes_and_apart(drawn, name):
    """Of words that stand outside: legends, ticks, titles, names of axes."""
    figure = drawn[name]
    inside = {id(text) for axis in figure.axes for text in axis.texts}
    outside = [
        (text, box)
        for text, box in texts(figure)
        if id(text) not in inside and text.get_rotation() in (0, 90)
    ]
    outside = [
        (text, box)
        for text, box in outside
        if not any(id(text) in map(id, _of_legend(a)) for a in figure.axes)
    ]
    axes = [axis.get_window_extent() for axis in figure.axes if axis.get_visible()]
    for text, box in outside:
        for area in axes:
            assert not _share(box, area), text.get_text()
    for (one, a), (other, b) in itertools.combinations(outside, 2):
        assert not _share(a, b), (one.get_text(), other.get_text())


def _of_legend(axis):
    return axis.get_legend().findobj(Text) if axis.get_legend() else []


def _share(a, b):
    """Whether two boxes overlap by more than two pixels each way."""
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 2 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2


@pytest.mark.parametrize("name", NAMES)
def test_words_are_drawn_as_they_are(drawn, name):
    figure = drawn[name]
    said = "".join("".join(text.get_text().split()) for text, _ in texts(figure))
    assert "".join(TITLE.split()) in said
    assert sum("".join(label.split()) in said for label in ODD) >= 2
    assert not any(text.get_parse_math() for text, _ in texts(figure))


def test_axes_have_room(drawn):
    for figure in drawn.values():
        for axis in figure.axes:
            if axis.get_visible() and not hasattr(axis, "_colorbar"):
                assert min(axis.bbox.size / figure.dpi) >= 0.59


def test_labels_are_wrapped():
    assert wrapped("a label", 8) == "a label"
    assert wrapped("a label that is long", 8) == "a label\nthat is\nlong"
    assert wrapped("x" * 10, 4) == "xxxx\nxxxx\nxx"
    assert wrapped("中文的标签", 4) == "中文\n的标\n签"
    assert wrapped("one (a\ntwo", 20) == "one (a\ntwo"


def test_letters_without_a_font_are_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(style.STYLE, "font.family", ["DejaVu Sans"])
    style._letters.cache_clear()
    figure = plt.figure()
    figure.suptitle("中文 and Ελλάς, кот")
    figure.supxlabel("a caption")
    assert undrawable(figure) == {"中", "文"}
    out = SimpleNamespace(pdf=tmp_path / "f.pdf", png=tmp_path / "f.png", csv=tmp_path / "f.csv")
    save(figure, pd.DataFrame({"a": [1]}), out)
    assert capsys.readouterr().err == "no font here has U+4E2D U+6587: 中文; install one, as Noto Sans CJK\n"
    assert figure.get_supxlabel() == "a caption\nno font here has U+4E2D U+6587"
    style._letters.cache_clear()


def test_further_fonts_are_taken_where_they_are():
    there = set(style.font_manager.fontManager.get_font_names())
    assert style.STYLE["font.family"][0] == "DejaVu Sans"
    assert {*style.STYLE["font.family"][1:]} == {*style.FONTS[1:]} & there
