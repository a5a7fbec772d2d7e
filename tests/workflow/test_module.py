"""The workflow as a module of another one, and in a working directory that is not the clone."""

import os
import subprocess

import pytest
import yaml

from helpers.project import ROOT, SNAKEMAKE, needs_package_index

WHEEL = "results/packages/efficientnet-lite-pytorch.whl"  # 23 kB
OUTER = f"""
configfile: "mine.yaml"


module platonic:
    snakefile:
        {str(ROOT / "Snakefile")!r}
    config:
        config["platonic"]


use rule * from platonic as platonic_*


rule mine:
    default_target: True
    input:
        {WHEEL!r},
    output:
        "mine.txt",
    shell:
        "wc -c < {{input}} > {{output}}"
"""


@pytest.fixture
def outer(tmp_path, config):
    """The folder of another workflow, with its own configuration, that uses this one as a module."""
    config["models"] = ["smollm2-135m-random", "minilm-l6", "mobilenet-v2"]
    config["figures"]["layer_pairs"] = [["minilm-l6", "mobilenet-v2"]]
    (tmp_path / "Snakefile").write_text(OUTER)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"platonic": config}))
    return tmp_path


def snakemake(folder, *arguments):
    """Run Snakemake in a folder; returns what it printed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [*SNAKEMAKE[:3], *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr


def test_another_workflow_plans_all_of_it(outer):
    said = snakemake(outer, "--dry-run", "--quiet", "rules", "--", "results/report/story.html")
    counts = dict(line.split() for line in said.splitlines() if line.startswith("platonic_"))
    assert counts["platonic_extract_language_features"] == "2"
    assert counts["platonic_extract_vision_features"] == counts["platonic_report"] == "1"


def test_another_workflow_runs_a_rule_of_it(outer):
    needs_package_index()
    snakemake(outer, "--cores", "1")
    assert int((outer / "mine.txt").read_text()) == (outer / WHEEL).stat().st_size
    assert (outer / f"results/records/{WHEEL}.json").is_file()


def test_another_working_directory(tmp_path):
    needs_package_index()
    folder, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    elsewhere.mkdir()
    snakemake(
        elsewhere, "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder), "--cores", "1", WHEEL
    )
    assert (folder / WHEEL).is_file()
    assert list(elsewhere.iterdir()) == []
