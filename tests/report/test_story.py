"""What is said of a run: every number is its own, and what it has no facts for is left out."""

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest

from helpers.project import ROOT
from helpers.rules import variables
from prh.alignment.best import alignment_table
from prh.alignment.catalogue import parse_metric
from prh.performance.correlation import correlate
from prh.performance.published import MEANS
from prh.report import story
from prh.report.run import run_of
from prh.tables import CORRELATION, SCORES, read_table, write_table

LANGUAGE = {  # label, init, family, parameters, layers, bits per byte
    "tiny-random": ("Tiny (random init)", "random", "Tiny", 135_000_000, 31, 3.9),
    "tiny": ("Tiny", "pretrained", "Tiny", 135_000_000, 31, 1.03),
    "coder": ("Coder", "pretrained", "Coder", 630_000_000, 25, 1.29),
    "embedder": ("Embedder", "pretrained", "Embedder", 22_000_000, 7, None),
}
VISION = {
    "eye-random": ("Eye (random init)", "random", "Eye", 5_000_000, 8),
    "eye": ("Eye", "pretrained", "Eye", 5_000_000, 8),
    "eye-2": ("Eye 2", "pretrained", "Eye", 6_000_000, 8),
}
N = 1024


def facts(language=LANGUAGE, vision=VISION):
    keys = ("label", "init", "family", "parameters", "layers")
    found = {
        name: dict(zip(keys, row, strict=False)) | {"modality": "language"} for name, row in language.items()
    }
    return found | {
        name: dict(zip(keys, row, strict=False)) | {"modality": "vision"} for name, row in vision.items()
    }


def layers(models, metric="mutual_knn@10", seed=0):
    """Scores of all layer pairs of all pairs of models: as tiles have them."""
    rng = np.random.default_rng(seed)
    name, k = parse_metric(metric)
    parts = []
    for x, y in itertools.combinations(models, 2):
        i, j = np.indices((models[x]["layers"], models[y]["layers"])).reshape(2, -1)
        scores = rng.uniform(0.3, 0.9) * rng.uniform(0.3, 1, len(i))
        parts.append(pd.DataFrame({"model_x": x, "model_y": y, "layer_x": i, "layer_y": j, "score": scores}))
    table = pd.concat(parts, ignore_index=True).assign(dataset="d", metric=name, k=k, n=N)
    return table[SCORES].astype({"k": "Int64"})


def tables(models, metric="mutual_knn@10", bits=None, calibrated=True, seed=0):
    """The final tables of such a run: alignment, performance, correlation."""
    bits = {name: row[5] for name, row in LANGUAGE.items()} if bits is None else bits
    made, null = layers(models, metric, seed), None
    if calibrated:
        null = made.drop_duplicates(["model_x", "model_y"])[["dataset", "metric", "k", "model_x", "model_y"]]
        values = {"null_mean": 0.0123, "tau": 0.02, "p_value": 0.005, "calibrated_score": 0.1}
        null = null.assign(**values, ci_low=0.0111, ci_high=0.0999)
    alignment = alignment_table(made, null, {name: row["modality"] for name, row in models.items()})
    scored = [(name, "text", 100, 30, value) for name, value in bits.items() if value and name in models]
    performance = pd.DataFrame(scored, columns=["model", "corpus", "bytes", "tokens", "bits_per_byte"])
    performance["source"] = ""
    rows = []
    for vision in (name for name in models if models[name]["modality"] == "vision"):
        part = alignment[(alignment.model_y == vision) & alignment.model_x.isin(performance.model)]
        known = performance.set_index("model").bits_per_byte.reindex(part.model_x)
        found = correlate(-known, part.score, "pearson", 100, 0.95, 0)
        where = ("d", *parse_metric(metric), vision, "score", "pearson", found.n)
        rows.append((*where, found.value, found.ci_low, found.ci_high, ""))
    correlation = pd.DataFrame(rows, columns=CORRELATION).astype({"k": "Int64"})
    return alignment, performance, correlation


def run(models=None, metric="mutual_knn@10", **options):
    models = models or facts()
    return run_of("d", "some drawings", "a text", metric, models, *tables(models, metric, **options))


@pytest.fixture
def told(tmp_path):
    """What is said of a figure, as a function of its name, a run, and its numbers."""

    def tell(name, found, numbers=None):
        path = tmp_path / f"{name}.csv"
        write_table(pd.DataFrame({"a": []}) if numbers is None else numbers, path)
        return story.tell(name, found, path)

    return tell


def best(found):
    """The pair of trained models that agrees most, by plain means."""
    rows = [
        row
        for row in found.across.itertuples()
        if "random" not in (found.models[row.model_x]["init"], found.models[row.model_y]["init"])
    ]
    return max(rows, key=lambda row: row.score)


def test_the_main_figure_says_each_models_alignment_layer_and_bits(told):
    found = run()
    top, text = best(found), told("alignment_vs_performance", found).found
    assert (
        f"Most alike are {found.label(top.model_x)} and {found.label(top.model_y)}: {top.score:.3f} "
        f"[0.011, 0.100], or {10 * top.score:.2f} of 10 neighbours in common." in text
    )
    for row in found.across[found.across.model_y == top.model_y].dropna(subset="bits_per_byte").itertuples():
        last = found.models[row.model_x]["layers"] - 1
        assert (
            f"{found.label(row.model_x)} at {row.bits_per_byte:.2f} bits per byte has {row.score:.3f}, "
            f"from its layer {row.layer_x} of {last}" in text
        )
    assert text.index("Tiny at 1.03") < text.index("Coder at 1.29") < text.index("Tiny (random init) at 3.90")


def test_an_untrained_twin_is_set_beside_the_trained_model(told):
    found = run()
    scores = found.across.pivot(index="model_y", columns="model_x", values="score").loc[["eye", "eye-2"]]
    more = scores["tiny"] - scores["tiny-random"]
    text = told("alignment_vs_performance", found).found
    assert (
        f"Tiny agrees more than its untrained twin with {(more > 0).sum()} of 2 trained vision models" in text
    )
    assert f"the mean difference is {more.mean():.3f}." in text
    assert text.count("twin") == 1


def test_steps_count_vision_models_whose_order_is_that_of_bits_per_byte(told):
    models, (alignment, *others) = facts(), tables(facts())
    order = ["tiny-random", "coder", "tiny", "embedder"]
    alignment["score"] = [0.1 + 0.1 * order.index(x) if x in order else 0.9 for x in alignment.model_x]
    swapped = (alignment.model_x == "coder") & (alignment.model_y == "eye")
    for score, rising in ((0.2, 2), (0.35, 1)):
        alignment.loc[swapped, "score"] = score
        found = run_of("d", "d", "t", "mutual_knn@10", models, alignment, *others)
        said = f"rises at every step with {rising} of 2 trained vision models"
        assert said in told("alignment_vs_performance", found).found


def test_a_handful_of_models_are_too_few_to_read_a_correlation_from(told):
    bits = {name: row[5] for name, row in LANGUAGE.items()} | {"embedder": 1.1}
    found = run(bits=bits)
    r = found.correlation[found.correlation.vision_model.isin(["eye", "eye-2"])]
    text = told("alignment_vs_performance", found).limits
    low, high = sorted(r.correlation)
    said = f"No correlation can be read from 4 language models (1 of them untrained): Pearson's r is {low:.2f} to {high:.2f}"
    assert said in text
    assert f"with intervals from {r.ci_low.min():.2f} to {r.ci_high.max():.2f}." in text


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        ({}, "of 0 language models, too few for a correlation, which takes 4."),
        ({"tiny": 1.0}, "of 1 language model, too few for a correlation, which takes 4."),
        (
            None,
            "of 3 language models (1 of them untrained), too few for a correlation, which takes 4: even a perfect order of 3 "
            "comes about by chance once in 6 times.",
        ),
    ],
)
def test_fewer_have_no_correlation(told, bits, said):
    text = told("alignment_vs_performance", run(bits=bits))
    assert f"Bits per byte are {said}" in text.limits
    assert "Pearson" not in text.found + text.limits
    assert ("bits per byte has" in text.found) == (bits != {})


def test_of_many_models_the_correlation_is_said_and_only_the_ends_are_named(told):
    many = {f"m{i}": (f"Model {i}", "pretrained", "M", None, None, 1.5 - 0.1 * i) for i in range(8)}
    models = facts({name: (*row[:4], 3) for name, row in many.items()})
    found = run(models, bits={name: row[5] for name, row in many.items()})
    text = told("alignment_vs_performance", found)
    r = found.correlation[found.correlation.vision_model.isin(["eye", "eye-2"])]
    assert (
        f"Over 8 language models Pearson's r of performance and alignment is {r.correlation.min():.2f}"
        in text.found
    )
    assert f"above 0 with {(r.ci_low > 0).sum()} of 2 trained vision models" in text.found
    assert "the best predictor of text first and the worst of 8 last: Model 7 at 0.80" in text.found
    assert "Model 3" not in text.found.split("Most alike")[1].split(".", 3)[3]
    assert "not independent" in text.limits


def test_a_larger_model_that_predicts_worse_is_said(told):
    said = "Coder, 630 million parameters, has more of them (1.29) than Tiny, 135 million (1.03)"
    assert said in told("alignment_vs_performance", run()).limits
    better = {name: row[5] for name, row in LANGUAGE.items()} | {"coder": 0.9}
    assert "parameters" not in told("alignment_vs_performance", run(bits=better)).limits
    unknown = facts()
    for row in unknown.values():
        row["parameters"] = None
    assert "parameters" not in told("alignment_vs_performance", run(unknown)).limits


def test_a_metric_without_k_has_no_chance_and_no_neighbours_in_common(told):
    found = run(metric="cka", calibrated=False)
    text = told("alignment_vs_performance", found)
    assert "chance" not in text.drawn
    assert "in common" not in text.found
    assert "never trained" not in text.limits  # above what, nobody knows
    assert "Alignment is CKA" in story.opening(found)
    assert "1,024" not in story.opening(found)


def test_what_a_run_lacks_is_not_said(told):
    trained = facts({"tiny": LANGUAGE["tiny"]}, {"eye": VISION["eye"]})
    found = run(trained, calibrated=False)
    everything = story.opening(found) + "".join(
        text
        for name in ("alignment_vs_performance", "alignment_matrix")
        for _, text in told(name, found).paragraphs()
    )
    for word in ("random", "twin", "untrained", "never trained", "wrong pictures", "strip", "[", "step"):
        assert word not in everything, word


@pytest.mark.parametrize(("language", "vision"), [({}, VISION), (LANGUAGE, {})])
def test_models_of_one_kind_have_their_matrix_and_no_main_figure(told, language, vision):
    found = run(facts(language, vision), calibrated=False)
    assert told("alignment_vs_performance", found).paragraphs() == []
    names, table = [row[0] for row in (language or vision).values()], story.scores(found)
    assert list(table.index) == list(table.columns) == names
    for row in found.pairs.itertuples():
        x, y = found.label(row.model_x), found.label(row.model_y)
        assert table.loc[x, y] == table.loc[y, x] == round(row.score, 3)
    assert "White lines" not in told("alignment_matrix", found).drawn
    text = told("alignment_matrix", found).found
    assert ("two language models" in text) == bool(language)
    assert ("two vision models" in text) == bool(vision)
    assert "a language model and a vision model" not in text
    assert ("language model" in story.opening(found)) == bool(language)
    assert ("vision model" in story.opening(found)) == bool(vision)


def test_the_matrix_says_means_within_kinds_and_across(told):
    found = run()
    text = told("alignment_matrix", found)
    trained = {name for name, row in found.models.items() if row["init"] != "random"}
    pairs = found.pairs[found.pairs.model_x.isin(trained) & found.pairs.model_y.isin(trained)]
    across = pairs[pairs.modality_x != pairs.modality_y].score
    said = f"a language model and a vision model {across.mean():.3f} ({across.min():.3f} to {across.max():.3f}, 6 pairs)"
    assert said in text.found
    assert f": {pairs.score.max():.3f}." in text.found
    seen = found.pairs[(found.pairs.model_x == "eye-random") & found.pairs.model_y.isin(trained)].score
    assert f"Eye (random init), never trained, still reaches {seen.mean():.3f} on average" in text.limits


def test_layers_say_where_the_best_is_and_what_words_alone_reach(told):
    found = run()
    grid = layers(found.models).query("model_x == 'tiny' and model_y == 'eye'").copy()
    grid.loc[(grid.layer_x == 29) & (grid.layer_y == 3), "score"] = 0.95
    text = told("layer_alignment", found, grid.drop(columns="n"))
    alone = grid[grid.layer_x == 0].score.max()
    assert (
        f"Tiny with Eye: 0.950, at layer 29 of 30 and layer 3 of 7; its words alone, layer 0, reach {alone:.3f};"
        in text.found
    )
    assert f"half of the 248 pairs of layers are below {grid.score.median():.3f}." in text.found
    assert "here 0.012 with captions at wrong pictures." in text.limits
    grid.loc[(grid.layer_x == 0) & (grid.layer_y == 3), "score"] = 0.99
    assert (
        "at layer 0 of 30 and layer 3 of 7, so by its words alone;"
        in told("layer_alignment", found, grid).found
    )


def test_a_layer_after_the_last_is_all_of_them_together():
    assert run().layer("tiny", 31) == "all layers together"
    assert run().layer("tiny", 30) == "layer 30 of 30"


def test_published_correlations_are_those_of_the_figure(told):
    columns = ["panel", "model", "x_label", "y_label", "x", "y", "source", "pearson", "ci_low", "ci_high"]
    rows = [
        ("figure 3", f"m{i}", "1 - bits", "alignment", i, 2.0 * i, "x", 0.9641, 0.1, 0.99) for i in range(4)
    ]
    rows += [("quiz", f"m{i}", "alignment", "score", i, 2.0 * i, "x", 0.5, -0.25, 0.75) for i in range(3)]
    rows += [("page", f"m{i}", "other bits", "alignment", i, None, "x", None, None, None) for i in range(3)]
    table = pd.DataFrame(rows, columns=columns)
    text = told("published_alignment", run(), table)
    assert text.found == (
        "Panel figure 3: Pearson's r = 0.964 [0.100, 0.990] over 4 language models. Panel quiz: Pearson's r = 0.500 "
        "[-0.250, 0.750] over 3 language models. The whole interval is above 0 in 1 of 2 panels."
    )
    assert "Panel page: alignment over other bits." in text.drawn
    assert told("published_alignment", run(), table[table.panel == "page"]).found == ""


def test_published_means_are_said_with_chance_at_both_ends_of_k(told):
    rows = [
        ("mutual_knn", k, quantity, value)
        for k, values in ((10, (0.12, 0.01, 0.11)), (100, (0.26, 0.1, 0.17)), (1000, (0.98, 0.97, 0.01)))
        for quantity, value in zip(MEANS, values, strict=True)
    ]
    rows += [("cknna_eq36", 10, "mean score", 0.5), ("cknna_eq36", 10, "mean null", 0.25)]
    rows += [
        ("cka", None, "mean score", 0.39),
        ("cka", None, "mean null", 0.17),
        ("unbiased_cka", None, "mean score", 0.31),
    ]
    table = pd.DataFrame(rows, columns=["metric", "k", "quantity", "value"]).astype({"k": "Int64"})
    assert told("published_by_metric", run(), table).found == (
        "mutual k-NN: at k = 10, 0.12 with 0.01 by chance, 0.11 left; at k = 1000, 0.98 with 0.97 by chance, 0.01 left. "
        "CKNNA (follow-up, eq. 36): at k = 10, 0.50 with 0.25 by chance. CKA: 0.39 with 0.17 by chance."
    )


def test_the_papers_own_figures_are_told_at_its_scale(told):
    found = run()
    rows = [("d", "mutual_knn", 10, m, "eye", s, "hellaswag", 10, v, None, "1", "this run") for m, s, v in [("tiny", 0.1, 0.4), ("coder", 0.3, 0.6)]]  # fmt: skip
    columns = ["dataset", "metric", "k", "model_x", "model_y", "score", "measure", "shots", "value", "stderr", "version", "source"]  # fmt: skip
    text = told("alignment_vs_downstream", found, pd.DataFrame(rows, columns=columns))
    assert (
        "agrees most, Coder (0.300), solves 60%; the one that agrees least, Tiny (0.100), solves 40%."
        in text.found
    )
    assert "Hollow" not in text.drawn
    table = pd.DataFrame({"quantity": "score", "difference": [0.01, -0.03, 0.02, None]})
    said = "score: this run has 3 of 4 published numbers; they differ by 0.02 in the middle, 0.03 at most."
    assert told("reproduced_vs_published", found, table).found == said
    assert (
        told("reproduced_vs_published", found, table[3:]).found
        == "score: this run has 0 of 1 published number."
    )


def numbers_in(text):
    return set(re.findall(r"(?<![\d.])\d*\.\d+", text))


@pytest.mark.parametrize("name", ["alignment_vs_performance", "alignment_matrix", "layer_alignment"])
def test_no_number_is_typed_in(told, name):
    """Two runs of other scores have no decimal in common but chance, what both have alike, and the 0.05 of q."""
    texts = []
    for seed in (1, 2):
        found = run(seed=seed)
        grid = layers(found.models, seed=seed).query("model_x == 'tiny' and model_y == 'eye'")
        texts.append(" ".join(text for _, text in told(name, found, grid).paragraphs()))
    alike = {"0.010", "0.05", "0.012", "0.011", "0.100", "1.03", "1.29", "3.90", "1.00"}
    assert numbers_in(texts[0]) & numbers_in(texts[1]) <= alike


def test_a_figure_without_words_is_shown_without():
    assert story.tell("metric_properties", run(), "no such file").paragraphs() == []


def test_every_figure_of_the_storys_chapters_has_words():
    for configfiles in ((), (ROOT / "config" / "paper.yaml",)):
        figures, chapters = variables("FIGURES", "STORY_CHAPTERS", configfiles=configfiles)
        assert {name for name, figure in figures.items() if figure.chapter in chapters} == set(story.TOLD)


def test_the_notebook_has_no_number_typed_in():
    cells = json.loads((ROOT / "notebooks" / "story.ipynb").read_text())["cells"]
    assert numbers_in("".join("".join(cell["source"]) for cell in cells)) == set()
    assert all(cell.get("outputs", []) == [] for cell in cells)


def test_the_opening_says_what_is_compared():
    text = story.opening(run())
    assert "4 language models, which read only the captions, and 3 vision models" in text
    assert "1,024 pairs" in text
    assert f"{10 / (N - 1):.3f} if they know nothing of each other" in text
    assert "Random weights: Tiny (random init) and Eye (random init)." in text


def test_scores_are_in_the_models_order_without_gaps():
    found = run()
    table = story.scores(found)
    assert list(table.columns) == [row[0] for row in LANGUAGE.values()]
    assert list(table.index) == [row[0] for row in VISION.values()]
    assert table.notna().all(axis=None)
    for row in found.across.itertuples():
        assert table.loc[found.label(row.model_y), found.label(row.model_x)] == round(row.score, 3)


def test_a_run_is_read_from_its_tables(tmp_path):
    models = facts()
    for name, table in zip(("alignment", "performance", "correlation"), tables(models), strict=True):
        write_table(table, tmp_path / f"{name}.csv")
    found = story.read_run("d", "some drawings", "a text", "mutual_knn@10", models, tmp_path)
    assert story.opening(found) == story.opening(run())
    assert len(found.pairs) == len(read_table(tmp_path / "alignment.csv"))
    assert found.across.bits_per_byte.notna().sum() == 3 * 3
