"""docs/artifacts.md is true: its examples run in a finished run, and its columns are those of the files."""

import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest

from conftest import ROOT
from prh import audit, tables

DOCUMENT = (ROOT / "docs" / "artifacts.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", DOCUMENT, re.M | re.S))


def listed(title):
    """The names in the first column of a section's table."""
    return re.findall(r"^\| `(\w+)` \|", SECTIONS[title], re.M)


def for_small(text):
    return text.replace("openmoji_1024", "openmoji_64")


def test_columns_of_the_tables():
    for name in ("alignment", "performance", "correlation"):
        assert listed(f"results/tables/{name}.csv") == list(getattr(tables, name.upper()))
    assert listed("results/audit/") == list(audit.COLUMNS)


def test_examples_are_short():
    for title, body in SECTIONS.items():
        for example in re.findall(r"```python\n(.*?)```", body, re.S):
            assert len([line for line in example.splitlines() if line]) <= 3, title


def test_every_example_runs(small):
    examples = [for_small(x) for x in re.findall(r"```python\n(.*?)```", DOCUMENT, re.S)]
    assert len(examples) > 10
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    command = [sys.executable, "-W", "ignore", "-c", "\n".join(examples)]
    done = subprocess.run(command, cwd=small, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("title", [t for t in SECTIONS if t.endswith(".parquet")])
def test_columns_of_the_files(small, title):
    files = sorted(small.glob(re.sub(r"<\w+>", "*", title)))
    assert files
    for path in files:
        assert listed(title) == list(pd.read_parquet(path).columns)


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


def test_everything_that_a_run_makes_is_in_the_document(small):
    patterns = [re.sub(r"<\w+>", r"[^/]+", title).replace(".csv", r"\.(csv|pdf|png)") for title in SECTIONS]
    for path in (small / "results/records").rglob("*.json"):
        for name in json.loads(path.read_text())["outputs"]:
            shown = re.sub(r"^figures/pictures/", "figures/", name)
            fits = any(
                re.fullmatch(p.rstrip("/"), shown) or (p[-1] == "/" and shown.startswith(p)) for p in patterns
            )
            assert fits, name
