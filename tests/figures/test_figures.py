import itertools
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from prh.figures.metrics import (
    agreement,
    alignment_by_metric,
    cknna_by_k,
    cknna_sweep,
    metric_agreement,
    metric_properties,
    properties,
    raw_vs_calibrated,
)
from prh.figures.pairs import alignment_matrix, layer_alignment
from prh.figures.performance import alignment_vs_performance
from prh.figures.style import looks, save

LANGUAGE = {"rand": 3.9, "small": 0.95, "middle": 0.93, "large": 0.92, "embedding": None}
VISION = ("noise", "cnn", "vit")
MODELS = {
    m: {"label": f"Language {m} (long name)", "modality": "language", "init": "pretrained"} for m in LANGUAGE
}
MODELS |= {m: {"label": f"Vision {m}", "modality": "vision", "init": "pretrained"} for m in VISION}
MODELS["rand"]["init"] = MODELS["noise"]["init"] = "random"


def across(names=("mutual_knn@10",)):
    rows = []
    for name, (i, x), (j, y) in itertools.product(names, enumerate(LANGUAGE), enumerate(VISION)):
        metric, _, k = name.partition("@")
        score = 0.05 + 0.02 * i + 0.01 * j
        row = {
            "name": name,
            "metric": metric,
            "k": int(k or 0),
            "model_x": x,
            "model_y": y,
            "score": score,
            "chance": 0.01,
        }
        rows.append(
            row
            | {
                "bits_per_byte": LANGUAGE[x],
                "null_mean": 0.01,
                "tau": 0.03,
                "q_value": 0.01 * i,
                "calibrated_score": score - 0.03,
            }
        )
    return pd.DataFrame(rows).astype({"bits_per_byte": float})


def figure_3():
    return alignment_vs_performance(across(), MODELS, "a demonstration", "1 - bits per byte")


def figures():
    table = across(["mutual_knn@10", "cka"])
    square = agreement(table)
    sweep = cknna_sweep(across(["cknna@10", "cknna@50", "cknna_paper@10", "cknna_paper@50"]))
    correlation = pd.DataFrame(
        {"name": ["cka"] * 2, "of": ["score", "calibrated_score"], "correlation": [0.9, 0.4]}
    )
    layers = pd.DataFrame(
        {
            "model_x": "small",
            "model_y": "cnn",
            "layer_x": [0, 0, 1, 1],
            "layer_y": [0, 1, 0, 1],
            "score": [0.1, 0.2, 0.3, 0.4],
        }
    )
    yield "alignment_vs_performance", figure_3()
    yield "alignment_matrix", alignment_matrix(across(), MODELS, "a demonstration")
    yield (
        "layer_alignment",
        layer_alignment(layers, [("small", "cnn")], MODELS, "a demonstration", "mutual_knn@10"),
    )
    yield (
        "alignment_by_metric",
        alignment_by_metric(table, MODELS, "a demonstration", "1 - bits per byte"),
    )
    yield "cknna_by_k", cknna_by_k(sweep, MODELS, "a demonstration")
    yield "metric_agreement", metric_agreement(square, 15, "a demonstration")
    yield "raw_vs_calibrated", raw_vs_calibrated(table, correlation, "a demonstration")
    yield (
        "metric_properties",
        metric_properties(properties(["cka", "mutual_knn@10"]), "a demonstration"),
    )


def write(figure, folder):
    folder.mkdir(exist_ok=True)
    out = SimpleNamespace(pdf=folder / "f.pdf", png=folder / "f.png", csv=folder / "f.csv")
    save(figure, pd.DataFrame({"a": [1]}), out)
    return [path.read_bytes() for path in (out.pdf, out.png, out.csv)]


def test_every_figure_is_drawn_and_the_same_twice(tmp_path):
    first = {name: write(figure, tmp_path / name) for name, figure in figures()}
    second = {name: write(figure, tmp_path / name) for name, figure in figures()}
    assert len(first) == 8
    assert first == second
    assert not plt.get_fignums()


@pytest.mark.parametrize("number", range(8))
def test_every_figure_says_what_it_is(number):
    figure = list(figures())[number][1]
    assert "a demonstration" in figure.get_supxlabel()
    plt.close("all")


def test_names_of_language_models_do_not_overlap():
    figure = figure_3()
    figure.canvas.draw()
    names = [text for text in figure.axes[0].texts if "Language" in text.get_text()]
    assert len(names) == 4
    boxes = [text.get_window_extent() for text in names]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    plt.close("all")


def test_lines_can_be_told_apart_in_grey():
    look = looks(VISION, MODELS)
    greys = [0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2] for c in (look[m]["color"] for m in ("cnn", "vit"))]
    assert greys[1] - greys[0] > 0.15
    assert len({look[m]["marker"] for m in VISION}) == 3
    assert look["noise"]["linestyle"] == "--"


def test_too_few_language_models_are_said_to_be_too_few():
    table = across()
    figure = alignment_vs_performance(table[table.model_x.isin(["rand", "small"])], MODELS, "c", "p")
    assert any("too few for a correlation" in text.get_text() for text in figure.axes[0].texts)
    enough = figure_3()
    assert not any("too few" in text.get_text() for text in enough.axes[0].texts)
    plt.close("all")


def test_cknna_is_standardised_over_language_models():
    sweep = cknna_sweep(across(["cknna@10"]))
    assert sweep.score.tolist() == pytest.approx([0.06, 0.08, 0.10, 0.12, 0.14])
    spread = pd.Series([0.06, 0.08, 0.10, 0.12, 0.14]).std()
    assert sweep.standardised.tolist() == pytest.approx([0.02 * i / spread for i in range(5)])
    few = cknna_sweep(across(["cknna@10"])[lambda t: t.model_x.isin(["rand", "small"])])
    assert few.standardised.isna().all()


def test_agreement_is_spearman():
    table = across(["mutual_knn@10", "cka"])
    table.loc[table.name == "cka", "score"] = -table.score
    assert agreement(table).loc["mutual_knn@10", "cka"] == pytest.approx(-1)
