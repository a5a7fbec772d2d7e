"""What is in the repository, and what must not be."""

import json
import re
import subprocess

import pytest

from conftest import ROOT


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


def test_every_rule_is_complete():
    """Each rule that runs a script has a docstring, a log, a benchmark, an environment and its code's digest."""
    scripts = set()
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for name, body in re.findall(r"^rule (\w+):\n((?:    .*\n|\n)*)", path.read_text(), re.MULTILINE):
            script = re.search(r'script:\s+"\.\./scripts/(\w+)\.py"', body)
            assert body.lstrip().startswith('"""'), name
            if script is None:
                assert "output:" not in body, f"{name} makes something without a script"
                continue
            scripts.add(script[1])
            parts = ["log:", "conda:", "message:", f'code=code("{script[1]}")']
            # a rule that makes nothing runs whenever it is asked for
            parts += ["benchmark:"] * ("output:" in body)
            for part in parts:
                assert part in body, f"rule {name} has no {part}"
    assert scripts == {path.stem for path in (ROOT / "scripts").glob("*.py")}


def test_the_library_imports_neither_scripts_nor_snakemake():
    for path in (ROOT / "scripts" / "prh").glob("*.py"):
        assert not re.search(r"^\s*(from|import) (snakemake|scripts)\b", path.read_text(), re.MULTILINE), path
