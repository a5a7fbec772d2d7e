"""What the paper's scale adds: its configuration, published numbers beside ours, its figures, pinning."""

import copy
import itertools
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import yaml

from conftest import ROOT
from prh import configuration, paper_plots, pins, plots, published
from prh.errors import InputError

SCHEMAS = ROOT / "config" / "schemas"
LANGUAGE = {"small": 0.95, "middle": 0.93, "large": 0.92}
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


def laid_over(config, over):
    """As Snakemake lays one configuration over another: mappings merge, everything else is replaced."""
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            laid_over(config[key], value)
        else:
            config[key] = value
    return config


@pytest.fixture
def paper(config):
    return laid_over(config, yaml.safe_load((ROOT / "config" / "paper.yaml").read_text()))


def load(config):
    return configuration.load(copy.deepcopy(config), SCHEMAS, lambda path: ROOT / path)


def test_the_grid_is_the_papers(paper):
    setup = load(paper)
    language, vision = setup.chosen("language"), setup.chosen("vision")
    assert (len(language), len(vision)) == (20, 17)
    layers = {name: row.layers for name, row in setup.models.items()}
    assert sum(layers[name] for name in language[:12]) == 454
    assert sum(layers[name] for name in vision) == 352
    val = load(paper | {"models": ["set:val"]})
    assert val.chosen("language") == language[:12]
    assert val.chosen("vision") == vision
    test = load(paper | {"models": ["set:test"], "figures": {}})
    assert test.chosen("language") == language[12:]
    assert test.chosen("vision") == ["vit_giant_patch14_dinov2.lvd142m"]


def test_an_unknown_set_is_named(paper):
    with pytest.raises(
        InputError, match="no row of the model table is in `set:none`; sets there: language, paper"
    ):
        load(paper | {"models": ["set:none"]})


def test_the_vision_model_of_figure_4_must_be_there(paper):
    paper["figures"]["downstream_vision"] = "llama-7b"
    with pytest.raises(InputError, match="`llama-7b` is not among the config's vision models"):
        load(paper)


def test_a_hub_row_is_pinned_by_its_revision(paper):
    setup = load(paper)
    row = setup.models["llama-7b"]
    assert configuration.revision_of(row, setup.packages) == (row.revision or "main")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("repo", "llama", "key `repo`"),
        ("type", "text_encoder", "key `type`"),
        ("packages", "p", "key `packages`"),
    ],
)
def test_bad_hub_rows(tmp_path, paper, column, value, message):
    table = pd.read_csv(ROOT / "config/models_paper.tsv", sep="\t", dtype=str, keep_default_na=False)
    if column not in table:
        table[column] = ""
    table.loc[0, column] = value
    table.to_csv(tmp_path / "models.tsv", sep="\t", index=False)
    paper["tables"]["models"] = str(tmp_path / "models.tsv")
    with pytest.raises(InputError, match=message):
        load(paper)


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


def captions():
    keys = {"bits_per_byte": 1.5, "pooled_bits_per_byte": 1.4, "captions": 4, "longest_tokens": 9}
    return [{"model": model, **keys} for model in LANGUAGE]


def measured():
    score = {"task": "hellaswag", "shots": 10, "measure": "acc_norm,none", "value": 0.4, "stderr": 0.01}
    score |= {"documents": 5, "task_version": "1.0", "lm_eval": "0"}
    return [{"model": "small", "scores": [score]}]


def test_published_scores_fill_in_what_was_not_measured():
    given = {"measure": "hellaswag", "shots": 10, "value": 0.7, "source": "a card"}
    known = pd.DataFrame([{"model": model, **given} for model in ("small", "large", "unknown")])
    table = published.downstream_table(captions(), measured(), known, list(LANGUAGE))
    found = table[table.measure == "hellaswag"].set_index("model")
    assert found.value.to_dict() == {"small": 0.4, "large": 0.7}
    assert found.source.to_dict() == {"small": "this run", "large": "published: a card"}
    assert (table.measure == "longest caption (tokens)").sum() == 3


def test_the_published_benchmarks_are_those_that_are_measured(paper):
    setup = load(paper)
    table = published.read_benchmarks(ROOT / "config/published/benchmarks.tsv")
    assert set(table.model) <= set(setup.chosen("language"))
    asked = dict(task.split("@") for task in setup.config["performance"]["tasks"])
    assert {(measure, str(shots)) for measure, shots in zip(table.measure, table.shots, strict=True)} == set(
        asked.items()
    )
    assert (table.groupby("model").size() == len(asked)).all()
    assert table.source.str.contains("row [^ ]+/[^ ]+").all()


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
    downstream = published.downstream_table(captions(), [], None, list(LANGUAGE))
    table = published.compare(reference(), alignment(), downstream, SETS, concatenated=False)
    expected = [0.1, 1, 1, 0.115, 0.01, 0.13, 1.5, None, 0.1, None]
    assert table.ours.astype(object).where(table.ours.notna(), None).tolist() == pytest.approx(expected)
    assert table.difference[0] == pytest.approx(-0.02)
    assert "not all of these models" in table.note[7]
    assert "concatenation" in table.note[8]


def test_an_unknown_quantity_is_named():
    table = reference().assign(quantity="colour")
    downstream = published.downstream_table([], [], None, [])
    with pytest.raises(InputError, match="unknown quantity `colour`"):
        published.compare(table, alignment(), downstream, SETS, concatenated=False)


def test_the_tables_of_published_numbers_can_be_read(paper):
    setup = load(paper)
    table = published.read_published(ROOT / "config/published/reference.tsv", published.NUMBERS)
    named = {name for side in (table.model_x, table.model_y) for name in side.dropna()}
    words = {word for row in setup.models.values() for word in row.sets.split()}
    assert {name for name in named if not name.startswith("set:")} <= set(setup.models)
    assert {name.removeprefix("set:") for name in named if name.startswith("set:")} <= words
    metrics = set(setup.config["alignment"]["metrics"])
    assert set(table.metric.dropna()) <= metrics


def figures():
    downstream = published.downstream_table(captions(), measured(), None, list(LANGUAGE))
    compared = published.compare(reference(), alignment(), downstream, SETS, concatenated=False)
    scores = alignment().query("model_y == 'vit_a'").merge(downstream, left_on="model_x", right_on="model")
    scores = scores[scores.measure == "hellaswag"]
    yield paper_plots.alignment_by_family(alignment(), MODELS, "a demonstration", "1 - bits per byte")
    yield paper_plots.alignment_vs_downstream(scores, MODELS, "a demonstration")
    yield paper_plots.alignment_vs_downstream(scores.iloc[:0], MODELS, "a demonstration")
    yield paper_plots.reproduced_vs_published(compared, "a demonstration")


def test_figures_are_drawn_and_the_same_twice(tmp_path):
    def written(number, figure):
        out = SimpleNamespace(**{ending: tmp_path / f"{number}.{ending}" for ending in ("pdf", "png", "csv")})
        assert "a demonstration" in figure.get_supxlabel()
        plots.save(figure, pd.DataFrame({"a": [1]}), out)
        return out.pdf.read_bytes(), out.png.read_bytes()

    first = [written(i, figure) for i, figure in enumerate(figures())]
    assert first == [written(i, figure) for i, figure in enumerate(figures())]
    assert not plt.get_fignums()


def test_the_shots_of_a_benchmark_are_shown():
    scores = alignment().query("model_y == 'vit_a'").assign(
        model=list(LANGUAGE), measure="t", shots=[5, 5, 5], value=[0.1, 0.2, 0.3],
        source=["this run", "published: a", "published: a"],
    )  # fmt: skip
    axis = paper_plots.alignment_vs_downstream(scores, MODELS, "").axes[0]
    assert axis.get_title() == "t, 5 shots"
    assert [text.get_text() for text in axis.texts] == ["small", "middle", "large"]
    axis = paper_plots.alignment_vs_downstream(scores.assign(shots=[5, 0, 5]), MODELS, "").axes[0]
    assert axis.get_title() == "t"
    assert [text.get_text() for text in axis.texts] == ["small, 5 shots", "middle, 0 shots", "large, 5 shots"]
    plt.close("all")


def test_five_panels_are_drawn_only_where_all_sizes_are_known():
    assert paper_plots.has_sizes(alignment(), MODELS)
    unknown = {**MODELS, "vit_a": {**MODELS["vit_a"], "size_name": "enormous"}}
    assert not paper_plots.has_sizes(alignment(), unknown)
    figure = next(figures())
    assert [axis.get_title() for axis in figure.axes] == ["CLIP", "MAE"]
    assert [len(axis.lines) for axis in figure.axes] == [3, 2]  # a line per size, and chance
    plt.close("all")


def test_revisions_are_pinned(tmp_path):
    table = tmp_path / "models.tsv"
    kept = "b" * 40
    table.write_text(
        f"name\trepo\trevision\tgated\tlicence\na\to/a\t\tunknown\tx\nb\to/b\t{kept}\tno\tx\nc\to/c\t\tunknown\tx\n"
    )

    class Api:
        def repo_info(self, repo, repo_type, revision):
            assert (repo_type, revision) == ("model", "main")
            if repo == "o/c":
                raise OSError("gone")
            return SimpleNamespace(sha="a" * 40, gated="manual", card_data={"license": "mit"})

    said = pins.pin(table, "model", Api())
    rows = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    assert rows[0] == ["a", "o/a", "a" * 40, "yes", "mit"]
    assert rows[1][2] == kept
    assert rows[2][2] == ""
    assert "NOT pinned (gone)" in said[2]
