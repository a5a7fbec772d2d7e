"""Published numbers beside this run's, and the figures that only the paper's scale has."""

import itertools
import re
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from helpers.project import ROOT
from helpers.scores import LANGUAGE, captions, measured
from prh.figures.comparison import ALIGNMENT, claim, compare, means
from prh.figures.performance import alignment_by_family, alignment_vs_downstream, has_sizes
from prh.figures.published import published_alignment, published_by_metric, reproduced_vs_published
from prh.figures.style import save
from prh.performance.downstream import downstream_table
from prh.performance.published import MEANS, read_benchmarks, read_numbers

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
            "calibrated_score": None, "bits_per_byte": LANGUAGE[x],
        }
        for (i, x), (j, y) in itertools.product(enumerate(LANGUAGE), enumerate(VISION))
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"k": "Int64", "null_mean": float, "calibrated_score": float})


def performance(corpus="openwebtext"):
    rows = [{"model": model, "corpus": corpus, "bits_per_byte": bits} for model, bits in LANGUAGE.items()]
    return pd.DataFrame(rows)


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
        ("mean calibrated score", "set:few", "set:vits", "mutual_knn@10", 0.09),
        ("1 - bits per byte (OpenWebText)", "large", None, None, 0.1),
        ("score (vision model not stated)", "large", None, "mutual_knn@10", 0.1),
    ]
    table = pd.DataFrame(rows, columns=["quantity", "model_x", "model_y", "metric", "value"])
    return table.assign(source="someone")


def test_comparison():
    downstream = downstream_table(captions(), [], None, list(LANGUAGE))
    table = compare(reference(), alignment(), performance(), downstream, SETS, concatenated=False)
    expected = [0.1, 1, 1, 0.115, 0.01, 0.13, 1.5, None, 0.1, None, None, 0.08]
    assert table.ours.astype(object).where(table.ours.notna(), None).tolist() == pytest.approx(expected)
    assert table.difference[0] == pytest.approx(-0.02)
    assert "not all of these models" in table.note[7]
    assert "concatenation" in table.note[8]
    assert table.note[4] == "k / (n - 1), since not calibrated in this run"
    assert table.note[10] == "not calibrated in this run"
    assert len(table) == len(reference()) - 1  # of a vision model that is not named no run has a number


def test_what_is_calibrated_is_compared():
    """The null of the maximum over layer pairs is what is published, not chance."""
    downstream = downstream_table(captions(), measured(), None, list(LANGUAGE))
    calibrated = alignment().assign(null_mean=0.014, calibrated_score=[0.01 * i for i in range(9)])
    table = compare(reference(), calibrated, performance("web_bible"), downstream, SETS, concatenated=False)
    assert (table.ours[4], table.note[4]) == (pytest.approx(0.014), "")
    assert table.ours[10] == pytest.approx(0.02)  # small and middle with vit_a and vit_b: 0, 0.01, 0.03, 0.04
    assert table.note[11] == "not measured in this run"  # the run's text is another one


def figures():
    downstream = downstream_table(captions(), measured(), None, list(LANGUAGE))
    compared = compare(reference(), alignment(), performance(), downstream, SETS, concatenated=False)
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
    numbers = read_numbers(folder / "reference.tsv")
    return claim(numbers, read_benchmarks(folder / "benchmarks.tsv"), 200, 0.95, 0)


def test_the_papers_claim_from_published_numbers(published_claim):
    """The correlation that the numbers of figure 3's line give, and all panels of the paper rise."""
    counts = {"figure 3": 10, "hellaswag": 8, "gsm8k": 8, "project page": 3}
    assert published_claim.panel.value_counts(sort=False).to_dict() == counts
    of_the_paper = published_claim[published_claim.panel != "project page"]
    first = of_the_paper.groupby("panel", sort=False).first()
    assert first.pearson["figure 3"] == pytest.approx(0.964, abs=5e-4)
    assert (first.ci_low > 0).all()
    assert (first.ci_low < first.pearson).all()
    assert (first.pearson < first.ci_high).all()
    assert of_the_paper.source.str.contains("third party").all()
    over_bits, over_alignment = of_the_paper.x_label.iloc[0], of_the_paper.x_label.iloc[-1]
    assert "bits per byte" in over_bits
    assert over_alignment == ALIGNMENT


def test_the_project_page_stands_apart(published_claim):
    """Another performance, a vision model that is not named: none of it is in a panel of the paper, nor has it a correlation."""
    page = published_claim[published_claim.panel == "project page"].set_index("model")
    elsewhere = published_claim[published_claim.panel != "project page"]
    assert not set(page.index) & set(elsewhere.model)
    assert set(page.x_label) == {"1 - bits per byte (OpenWebText)"}
    assert page.pearson.isna().all()
    assert page.x.to_dict() == {"llama-3-70b": 0.5016085, "mixtral-8x7b": 0.488627, "llama-65b": 0.4885789}
    assert page.y.dropna().to_dict() == {"llama-3-70b": 0.1657227, "mixtral-8x7b": 0.1701172}
    assert set(page.source) == {"authors' project page, found in a copy whose place is not known"}


def test_published_marks_are_hollow_and_the_figure_says_what_it_is(published_claim):
    figure = published_alignment(published_claim, "published numbers")
    for axis in figure.axes:
        faces = [face for marks in axis.collections for face in marks.get_facecolor().tolist()]
        assert faces
        assert all(face == [1.0, 1.0, 1.0, 1.0] for face in faces)
    assert figure.axes[0].get_title() == "figure 3: r = 0.964 [{:.2f}, {:.2f}], 10 models".format(
        *published_claim[["ci_low", "ci_high"]].iloc[0]
    )
    assert figure.axes[3].get_title() == "project page: 2 models, too few for r"
    assert figure.get_suptitle().startswith("Published by others")
    plt.close(figure)


def test_each_published_mark_has_the_letters_of_its_sources(published_claim):
    figure = published_alignment(published_claim, "published numbers")
    listed = dict(line.split(": ", 1) for line in figure.get_supxlabel().splitlines()[1:])
    for axis, (_, group) in zip(figure.axes, published_claim.groupby("panel", sort=False), strict=True):
        assert len(axis.texts) == len(group)
        for text, source in zip(axis.texts, group.source, strict=True):
            letters = re.search(r"\^\{(\w+)\}", text.get_text())[1]
            assert [listed[letter] for letter in letters] == [
                part.split(", row ")[0] for part in source.split("; ")
            ]
    plt.close(figure)


def test_published_means_by_metric():
    table = means(read_numbers(ROOT / "config/published/reference.tsv"))
    assert table.k.max() == 1023
    assert table.value[(table.metric == "cknna") & (table.k == 800)].tolist() == [1.26, 1.23]
    figure = published_by_metric(table, "published numbers")
    drawn = [line for axis in figure.axes for line in axis.lines]
    assert sum(len(line.get_xdata()) for line in drawn) == len(table) == 121
    assert {line.get_markerfacecolor() for line in drawn} == {"white"}
    assert [axis.get_title() for axis in figure.axes][-2:] == ["CKNNA (follow-up, eq. 36)", "without k"]
    assert "mutual k-NN" in figure.axes[0].get_title()
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == [f"{mean}$^{{{letter}}}$" for mean, letter in zip(MEANS, "abb", strict=True)]
    assert "a: third party: github.com/trinidadBorrell/geometry-aware-prh" in figure.get_supxlabel()
    plt.close(figure)


@pytest.mark.parametrize("name", ["published_alignment", "published_by_metric"])
def test_a_figure_of_published_numbers_is_the_same_twice(name, published_claim, tmp_path):
    numbers = read_numbers(ROOT / "config/published/reference.tsv")
    table = published_claim if name == "published_alignment" else means(numbers)
    draw = {"published_alignment": published_alignment, "published_by_metric": published_by_metric}[name]

    def written(number):
        out = SimpleNamespace(**{ending: tmp_path / f"{number}.{ending}" for ending in ("pdf", "png", "csv")})
        save(draw(table, "published numbers"), table, out)
        return [path.read_bytes() for path in (out.pdf, out.png, out.csv)]

    assert written(1) == written(2)
