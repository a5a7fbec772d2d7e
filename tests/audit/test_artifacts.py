"""docs/artifacts.md is true: its examples run in a finished run, and its columns are those of the files."""

import json
import re

import pandas as pd
import pytest

from helpers.document import OF_THE_PAPER, SECTIONS, examples, listed, run_examples
from helpers.rules import outputs
from prh import tables
from prh.audit import findings

OF_EVERY_RUN = [title for title in SECTIONS if title not in OF_THE_PAPER and title != "results/crate.zip"]


def test_columns_of_the_tables():
    for name in ("alignment", "performance", "correlation"):
        assert listed(f"results/tables/{name}.csv") == list(getattr(tables, name.upper()))
    assert listed("results/tables/downstream.csv") == list(tables.DOWNSTREAM)
    assert listed("results/tables/colours.csv") == list(tables.COLOUR)
    assert listed("results/colour/places.csv") == list(tables.COLOUR_PLACES)
    assert listed("results/tables/caption_density.csv") == list(tables.DENSITY)
    for name in (
        "layers",
        "distance_windows",
        "alignment_over_n",
        "likelihood_distances",
        "modality_gap",
        "transfer",
        "competence",
        "vision_pairs",
        "convergence",
        "vision_places",
    ):
        assert listed(f"results/tables/{name}.csv") == list(tables.COLUMNS[name])
    assert listed("results/audit/") == list(findings.COLUMNS)


def test_examples_are_short():
    for title in SECTIONS:
        for example in examples(title):
            assert len([line for line in example.splitlines() if line]) <= 3, title


def test_every_example_runs(small):
    assert sum(len(examples(title)) for title in OF_EVERY_RUN) > 10
    of_figure_2 = {f"{folder}/openmoji_1024": f"{folder}/openmoji_256" for folder in ("labels", "probes")}
    run_examples(OF_EVERY_RUN, small, **of_figure_2, openmoji_1024="openmoji_64")


@pytest.mark.parametrize("title", [t for t in OF_EVERY_RUN if t.endswith(".parquet")])
def test_columns_of_the_files(small, title):
    files = sorted(small.glob(re.sub(r"<\w+>", "*", title)))
    assert files
    for path in files:
        further = ["distance"] if path.parent.name == "rtd_lite" else []
        assert listed(title) + further == list(pd.read_parquet(path).columns)


def test_columns_of_captions(small):
    table = pd.read_parquet(small / "results/data/openmoji_64/captions.parquet")
    assert listed("results/data/<dataset>/") == list(table.columns)


def test_keys_of_records(small):
    for path in (small / "results/records").rglob("*.json"):
        assert listed("results/records/<artifact>.json") == sorted_as_listed(json.loads(path.read_text()))


def sorted_as_listed(record):
    return [key for key in listed("results/records/<artifact>.json") if key in record] + sorted(
        record.keys() - {*listed("results/records/<artifact>.json")}
    )


def in_the_document(name):
    """Whether a section speaks of an artifact, or of a rule's output with its wildcards in braces."""
    for title in SECTIONS:
        pattern = re.sub(r"<\w+>", r"[^/]+", title).replace(".csv", r"\.(csv|pdf|png)")
        if re.fullmatch(pattern.rstrip("/"), name) or (title.endswith("/") and name.startswith(title)):
            return True
    return False


def test_everything_that_a_run_makes_is_in_the_document(small):
    for path in (small / "results/records").rglob("*.json"):
        for name in json.loads(path.read_text())["outputs"]:
            assert in_the_document(re.sub(r"^figures/pictures/", "figures/", name)), name


def test_every_output_of_every_rule_is_in_the_document():
    assert len(outputs()) > 25
    assert [name for name in outputs() if not in_the_document(name)] == []
    assert not in_the_document("results/notes/{model}.json")  # it can fail


def test_every_section_is_of_something_that_is_made():
    made = [
        *(re.sub(r"^figures/\{folder\}", "figures/", path) for path in outputs()),
        "results/audit/audit.csv",
        "results/records/results/crate.zip.json",
    ]
    for title in SECTIONS:
        pattern = re.sub(r"<\w+>", r".+", title).rstrip("/")
        assert any(re.match(f"{pattern}(/|$)", name) for name in made), title
