"""Benchmark scores as one table, and published numbers: that they are read, and are those of the paper's configuration."""

import pandas as pd

from helpers.configuration import load
from helpers.project import ROOT
from helpers.scores import LANGUAGE, captions, measured
from prh.performance.downstream import downstream_table
from prh.performance.published import NUMBERS, read_benchmarks, read_published


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
    table = read_published(ROOT / "config/published/reference.tsv", NUMBERS)
    named = {name for side in (table.model_x, table.model_y) for name in side.dropna()}
    words = {word for row in setup.models.values() for word in row.sets.split()}
    assert {name for name in named if not name.startswith("set:")} <= set(setup.models)
    assert {name.removeprefix("set:") for name in named if name.startswith("set:")} <= words
    metrics = set(setup.config["alignment"]["metrics"])
    assert set(table.metric.dropna()) <= metrics
