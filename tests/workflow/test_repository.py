"""What is in the repository, and what must not be."""

import json
import subprocess

import pytest

from helpers.project import ROOT
from helpers.rules import all_rules


def tracked():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_nothing_that_was_made_is_tracked():
    made = [
        p
        for p in tracked()
        if p.relative_to(ROOT).parts[0] in ("results", "figures") and p.name != "README.md"
    ]
    assert made == []


def test_the_repository_is_small():
    assert sum(path.stat().st_size for path in tracked()) < 5e6


def test_notebooks_have_no_outputs():
    notebooks = [path for path in tracked() if path.suffix == ".ipynb"]
    assert notebooks
    for path in notebooks:
        for cell in json.loads(path.read_text())["cells"]:
            assert (cell.get("outputs") or [], cell.get("execution_count")) == ([], None), path


@pytest.mark.parametrize("rule", all_rules().values(), ids=all_rules())
def test_every_rule_is_complete(rule):
    """Each rule has a docstring; one that runs a script has a log, a benchmark, a message, an environment and its code's digest."""
    assert rule.docstring
    if rule.script is None:
        assert rule.outputs == [], "it makes something without a script"
        return
    assert rule.log
    assert rule.environment
    assert rule.message
    assert "code" in rule.params
    assert bool(rule.benchmark) == bool(
        rule.outputs
    )  # a rule that makes nothing runs whenever it is asked for


def test_every_script_is_a_rules():
    """But for add.py, which is a user's only: it writes tables, before any run."""
    scripts = {path.stem for path in (ROOT / "scripts").glob("*.py")}
    assert {rule.script for rule in all_rules().values()} - {None} == scripts - {"add", "share"}


def test_rules_are_short():
    """Each stage can be read at a sitting."""
    assert {
        path.name for path in (ROOT / "rules").iterdir() if len(path.read_text().splitlines()) > 150
    } == set()
