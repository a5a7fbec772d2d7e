"""Benchmark scores as one table, and published numbers: that they are read, and are those of the paper's configuration."""

import pandas as pd

from helpers.configuration import load
from helpers.project import ROOT
from helpers.scores import LANGUAGE, captions, measured
from prh.performance.downstream import downstream_table
from prh.performance.published import MEANS, ONLY_PUBLISHED, read_benchmarks, read_numbers


def test_published_scores_fill_in_what_was_not_measured():
    given = {"measure": "hellaswag", "shots": 10, "value": 0.7, "source": "a card"}
    known = pd.DataFrame([{"model": model, **given} for model in ("small", "large", "unknown")])
    table = downstream_table(captions(), measured(), known, list(LANGUAGE))
    found = table[table.measure == "hellaswag"].set_index("model")
    assert found.value.to_dict() == {"small": 0.4, "large": 0.7}
    assert found.source.to_dict() == {"small": "this run", "large": "published: a card"}
    assert (table.measure == "longest caption (tokens)").sum() == 3


def test_the_published_benchmarks_are_those_that_are_measured(paper):
    setup = load(paper)
    table = read_benchmarks(ROOT / "config/published/benchmarks.tsv")
    assert set(table.model) <= set(setup.chosen("language"))
    asked = dict(task.split("@") for task in setup.config["performance"]["tasks"])
    assert {(measure, str(shots)) for measure, shots in zip(table.measure, table.shots, strict=True)} == set(
        asked.items()
    )
    assert (table.groupby("model").size() == len(asked)).all()
    assert table.source.str.contains("row [^ ]+/[^ ]+").all()


def test_the_tables_of_published_numbers_can_be_read(paper):
    setup = load(paper)
    table = read_numbers(ROOT / "config/published/reference.tsv")
    named = {name for side in (table.model_x, table.model_y) for name in side.dropna()}
    words = {word for row in setup.models.values() for word in row.sets.split()}
    assert {name for name in named if not name.startswith("set:")} <= set(setup.models)
    assert {name.removeprefix("set:") for name in named if name.startswith("set:")} <= words
    metrics = set(setup.config["alignment"]["metrics"])
    means = table.quantity.isin(MEANS)
    assert set(table.metric[~means].dropna()) <= metrics
    # Means are published of more k, and of two more CKNNAs, than the paper's configuration asks for.
    more = set(table.metric[means]) - metrics
    for metric, k in (name.split("@") for name in more):
        assert metric in ("cknna_centred", *ONLY_PUBLISHED) or int(k) not in (10, 100, 1000), (metric, k)


def test_every_published_number_says_where_it_stands():
    """The authors' own facts and the means of another group with their commits; the project page as what it is."""
    table = read_numbers(ROOT / "config/published/reference.tsv")
    official = table[table.quantity == "longest caption (tokens)"]
    assert official.source.str.match(
        "authors' first commit: github.com/minyoungg/platonic-rep, .+ at c4e71679"
    ).all()
    means = table[table.quantity.isin(MEANS)]
    assert means.source.str.fullmatch(r"third party: github\.com/.+/README\.md at [0-9a-f]{8}").all()
    page = table[table.source.str.startswith("authors' project page")]
    assert page.source.str.contains("place is not known").all()
    assert page.model_x.value_counts().to_dict() == {"llama-3-70b": 2, "mixtral-8x7b": 2, "llama-65b": 1}


def test_the_means_are_those_of_170_pairs(paper):
    """Of five metrics at nine k, and of CKA; a calibrated score where the metric has a maximum."""
    rows = load(paper).models.values()
    sizes = [sum(word in row.sets.split() for row in rows) for word in ("up_to_13b", "vits")]
    assert sizes == [10, 17]
    table = read_numbers(ROOT / "config/published/reference.tsv")
    means = table[table.quantity.isin(MEANS)]
    assert set(means.model_x) | set(means.model_y) == {"set:up_to_13b", "set:vits"}
    counts = means.groupby([means.quantity, means.metric.str.split("@").str[0]]).size().unstack()
    assert (counts.loc["mean score"].drop(["cka", "unbiased_cka"]) == 9).all()
    assert counts.loc["mean calibrated score"].dropna().to_dict() == {
        "cka": 1, "cknna_centred": 9, "cknna_paper": 9, "mutual_knn": 9,
    }  # fmt: skip


def test_the_official_feature_files_are_of_the_models_of_the_table(paper):
    """Layers, widths and types agree, and give the files' sizes to within what PyTorch's container takes."""
    models = load(paper).models
    table = pd.read_csv(ROOT / "config/published/official_features.tsv", sep="\t", comment="#").set_index(
        "model"
    )
    assert sorted(table.index) == sorted(name for name, row in models.items() if "val" in row.sets.split())
    assert len(table) == 29
    assert table.sha256.str.fullmatch("[0-9a-f]{64}").all()
    assert table.sha256.is_unique
    for name, file in table.to_dict("index").items():
        for column in ("layers", "width", "dtype"):
            assert file[column] == getattr(models[name], column), (name, column)
        values = 1024 * file["layers"] * file["width"] * {"bfloat16": 2, "float32": 4}[file["dtype"]]
        is_language = models[name].modality == "language"
        mask = 1024 * 8 * file["longest_tokens"] if is_language else 0
        assert 1000 < file["bytes"] - values - mask < 3000, name
        assert file["file"].endswith(f"{name}_pool-{'avg' if is_language else 'none'}.pt"), name
    lengths = read_numbers(ROOT / "config/published/reference.tsv")
    lengths = lengths[lengths.quantity == "longest caption (tokens)"].set_index("model_x").value
    assert (lengths == table.longest_tokens[lengths.index]).all()
