"""Published numbers beside this run's, and the figures that only the paper's scale has."""

import itertools
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from helpers.project import ROOT
from helpers.scores import LANGUAGE, captions, measured
from prh.errors import InputError
from prh.figures.comparison import ALIGNMENT, claim, compare
from prh.figures.performance import alignment_by_family, alignment_vs_downstream, has_sizes
from prh.figures.published import published_alignment, reproduced_vs_published
from prh.figures.style import save
from prh.performance.downstream import downstream_table
from prh.performance.published import NUMBERS, read_benchmarks, read_published

VISION = {"vit_a": ("CLIP", "base"), "vit_b": ("CLIP", "large"), "vit_c": ("MAE", "base")}
MODELS = {
    m: {"label": m, "modality": "language", "init": "pretrained", "family": "LLaMA", "parameters": 10**9}
    for m in LANGUAGE
}
MODELS |= {
    m: {
        "label": m,
        "modality": "vision",
        "init": "pretrained",
        "family": family,
        "size_name": size,
        "parameters": 1,
    }
    for m, (family, size) in VISION.items()
}
SETS = {
    "huge": ["more"],
    "small": ["few", "more"],
    "middle": ["few"],
    "large": [],
    "vit_a": ["vits"],
    "vit_b": ["vits"],
    "vit_c": [],
}


def alignment():
    rows = [
        {
            "dataset": "d", "name": "mutual_knn@10", "metric": "mutual_knn", "k": 10, "model_x": x, "model_y": y,
            "layer_x": i, "layer_y": j, "score": 0.1 + 0.02 * i + 0.01 * j, "chance": 0.01, "null_mean": None,
            "bits_per_byte": LANGUAGE[x],
        }
        for (i, x), (j, y) in itertools.product(enumerate(LANGUAGE), enumerate(VISION))
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"k": "Int64", "null_mean": float})


def reference():
    rows = [
        ("score", "small", "vit_a", "mutual_knn@10", 0.12),
        ("language layer", "middle", "vit_b", "mutual_knn@10", 3),
        ("vision layer", "middle", "vit_b", "mutual_knn@10", 1),
        ("mean score", "set:few", "set:vits", "mutual_knn@10", 0.1),
        ("mean null", "set:few", "set:vits", "mutual_knn@10", 0.01),
        ("highest score", "set:few", "set:vits", "mutual_knn@10", 0.16),
        ("bits per byte (captions)", "small", None, None, 2.0),
        ("score", "absent", "vit_a", "mutual_knn@10", 0.2),
        ("score (concatenated)", "small", "vit_a", "mutual_knn@10", 0.13),
        ("mean score", "set:more", "set:vits", "mutual_knn@10", 0.1),  # one of the set is not in the run
    ]
    table = pd.DataFrame(rows, columns=["quantity", "model_x", "model_y", "metric", "value"])
    return table.assign(source="someone")


def test_comparison():
    downstream = downstream_table(captions(), [], None, list(LANGUAGE))
    table = compare(reference(), alignment(), downstream, SETS, concatenated=False)
    expected = [0.1, 1, 1, 0.115, 0.01, 0.13, 1.5, None, 0.1, None]
    assert table.ours.astype(object).where(table.ours.notna(), None).tolist() == pytest.approx(expected)
    assert table.difference[0] == pytest.approx(-0.02)
    assert "not all of these models" in table.note[7]
    assert "concatenation" in table.note[8]


def test_an_unknown_quantity_is_named():
    table = reference().assign(quantity="colour")
    downstream = downstream_table([], [], None, [])
    with pytest.raises(InputError, match="unknown quantity `colour`"):
        compare(table, alignment(), downstream, SETS, concatenated=False)


def figures():
    downstream = downstream_table(captions(), measured(), None, list(LANGUAGE))
    compared = compare(reference(), alignment(), downstream, SETS, concatenated=False)
    scores = alignment().query("model_y == 'vit_a'").merge(downstream, left_on="model_x", right_on="model")
    scores = scores[scores.measure == "hellaswag"]
    yield alignment_by_family(alignment(), MODELS, "a demonstration", "1 - bits per byte")
    yield alignment_vs_downstream(scores, MODELS, "a demonstration")
    yield alignment_vs_downstream(scores.iloc[:0], MODELS, "a demonstration")
    yield reproduced_vs_published(compared, "a demonstration")


def test_figures_are_drawn_and_the_same_twice(tmp_path):
    def written(number, figure):
        out = SimpleNamespace(**{ending: tmp_path / f"{number}.{ending}" for ending in ("pdf", "png", "csv")})
        assert "a demonstration" in figure.get_supxlabel()
        save(figure, pd.DataFrame({"a": [1]}), out)
        return out.pdf.read_bytes(), out.png.read_bytes()

    first = [written(i, figure) for i, figure in enumerate(figures())]
    assert first == [written(i, figure) for i, figure in enumerate(figures())]
    assert not plt.get_fignums()


def test_the_shots_of_a_benchmark_are_shown():
    scores = alignment().query("model_y == 'vit_a'").assign(
        model=list(LANGUAGE), measure="t", shots=[5, 5, 5], value=[0.1, 0.2, 0.3],
        source=["this run", "published: a", "published: a"],
    )  # fmt: skip
    axis = alignment_vs_downstream(scores, MODELS, "").axes[0]
    assert axis.get_title() == "t, 5 shots"
    assert [text.get_text() for text in axis.texts] == ["small", "middle", "large"]
    axis = alignment_vs_downstream(scores.assign(shots=[5, 0, 5]), MODELS, "").axes[0]
    assert axis.get_title() == "t"
    assert [text.get_text() for text in axis.texts] == ["small, 5 shots", "middle, 0 shots", "large, 5 shots"]
    plt.close("all")


def test_five_panels_are_drawn_only_where_all_sizes_are_known():
    assert has_sizes(alignment(), MODELS)
    unknown = {**MODELS, "vit_a": {**MODELS["vit_a"], "size_name": "enormous"}}
    assert not has_sizes(alignment(), unknown)
    figure = next(figures())
    assert [axis.get_title() for axis in figure.axes] == ["CLIP", "MAE"]
    assert [len(axis.lines) for axis in figure.axes] == [3, 2]  # a line per size, and chance
    plt.close("all")


@pytest.fixture(scope="module")
def published_claim():
    """The paper's claim from the project's tables of published numbers."""
    folder = ROOT / "config/published"
    numbers = read_published(folder / "reference.tsv", NUMBERS)
    return claim(numbers, read_benchmarks(folder / "benchmarks.tsv"), 200, 0.95, 0)


def test_the_papers_claim_from_published_numbers(published_claim):
    """The correlation of figure 3's line that was published with these numbers, and all panels rise."""
    first = published_claim.groupby("panel", sort=False).first()
    assert list(first.index) == ["figure 3", "hellaswag", "gsm8k"]
    assert published_claim.panel.value_counts().to_dict() == {"figure 3": 10, "hellaswag": 8, "gsm8k": 8}
    assert first.pearson["figure 3"] == pytest.approx(0.964, abs=5e-4)
    assert (first.ci_low > 0).all()
    assert (first.ci_low < first.pearson).all()
    assert (first.pearson < first.ci_high).all()
    assert published_claim.source.str.contains("third party").all()
    over_bits, over_alignment = published_claim.x_label.iloc[0], published_claim.x_label.iloc[-1]
    assert "bits per byte" in over_bits
    assert over_alignment == ALIGNMENT


def test_published_marks_are_hollow_and_the_figure_says_what_it_is(published_claim):
    figure = published_alignment(published_claim, "published numbers")
    for axis in figure.axes:
        faces = [face for marks in axis.collections for face in marks.get_facecolor().tolist()]
        assert faces
        assert all(face == [1.0, 1.0, 1.0, 1.0] for face in faces)
    assert figure.axes[0].get_title() == "r = 0.964 [{:.2f}, {:.2f}], 10 models".format(
        *published_claim[["ci_low", "ci_high"]].iloc[0]
    )
    plt.close(figure)
