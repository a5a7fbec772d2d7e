"""Every row of the table of bad inputs, run as a user would: one line that names the culprit, and nothing changed."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from faults import bad_artifacts, bad_configurations, bad_inputs, bad_models
from faults.good_jobs import GOOD
from helpers.jobs import SNAKEMAKES_OWN, Job, contents, halved, prepare, put, watched
from helpers.project import ROOT, SNAKEMAKE, snakemake

TABLE = [
    row
    for rows in (
        bad_configurations.configurations,
        bad_configurations.bad_tables,
        bad_configurations.own_models,
        bad_inputs.folders,
        bad_inputs.at_planning,
        bad_inputs.layouts,
        bad_inputs.small_models,
        bad_artifacts.tasks,
        bad_inputs.packages,
        bad_models.models,
        bad_artifacts.caches,
        bad_artifacts.results,
        bad_artifacts.runs,
    )
    for row in rows()
]


@pytest.mark.parametrize("kind", GOOD)
def test_good_input(kind, here):
    """The harness tells good from bad: the same jobs with good input end well, and say nothing."""
    steps, run = GOOD[kind]
    prepare(steps, run)
    before = contents()
    status, said = watched(run)
    assert status == 0, "\n".join(said)
    assert contents() != before
    if isinstance(run, Job):
        assert said == []


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
def test_bad_input(row, here):
    prepare(row.steps, row.run)
    before = contents()
    status, said = watched(row.run)
    said = [line for line in said if not line.startswith(SNAKEMAKES_OWN)]
    assert status != 0
    assert len(said) == 1, "\n".join(said)
    for words in row.says:
        assert words in said[0]
    assert contents() == before
    for log in Path("results/logs").rglob("*.log"):  # bad input is no fault of the program
        assert "Traceback" not in log.read_text()


# Rows that Snakemake itself runs, with what it is asked for.
REAL = {
    "config-unknown-key": [],
    "table-models-model-twice": [],
    "captions-latin-1": ["results/data/pictures"],
    "image-truncated": ["results/data/pictures"],
    "wheel-another-digest": ["results/packages/prh-test.whl"],
}
DATASETS = "name\tlabel\tsource\tpath\tlicence\npictures\tpictures\tfolder\tdata/pictures\tmine\n"
PACKAGE = f"prh-test\t1.0\t{'0' * 64}\t1\tmine\ta test\n"


def own_tables():
    """A configuration with tables of one's own: pictures in a local folder, and one more package."""
    put("datasets.tsv", DATASETS)()
    put("packages.tsv", (ROOT / "config" / "packages.tsv").read_text() + PACKAGE)()
    tables = {"datasets": "datasets.tsv", "packages": "packages.tsv"}
    few = {"datasets": ["pictures"], "models": ["minilm-l6", "mobilenet-v2"], "figures": {"layer_pairs": []}}
    few |= dict.fromkeys(("transfer", "colour_geometry", "caption_density", "alignment_over_n"))
    put("mine.yaml", json.dumps({"tables": tables, **few}))()


@pytest.mark.parametrize("name", REAL)
def test_the_harness_tells_the_truth(name, here):
    """`snakemake`, as a user calls it, ends as the row says."""
    (row,) = [row for row in TABLE if row.id == name]
    prepare(row.steps, None)
    if not Path("mine.yaml").exists():
        own_tables()
    before = contents()
    command = [*SNAKEMAKE, "--configfile", "mine.yaml", "--cores", "1", *REAL[name]]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    assert done.returncode != 0
    assert (
        len({line for line in lines if all(words in line for words in row.says)}) == 1
    )  # again where it shows the log
    assert "Traceback" not in done.stdout + done.stderr
    assert contents() == before


def test_a_kind_whose_package_is_not_here(here):
    """timm has an environment of its own: one line before any job starts, and a plan all the same."""
    if find_spec("timm"):
        pytest.skip("timm is here")
    put("models/own/config.json", json.dumps({"architecture": "vit_tiny_patch16_224"}))()
    put("models/own/model.safetensors", bad_configurations.headed({"a": (2, 3)}))()
    bad_configurations.own_model(type="timm_vit")()
    before, made = contents(), "results/features/openmoji_1024/own.safetensors"
    command = [*SNAKEMAKE, "--cores", "1", made, "--configfile", "mine.yaml"]
    done = subprocess.run(command, capture_output=True, text=True)
    says = "models.tsv, row `own`: models of type `timm_vit` need the package timm, which is not in this environment; run "
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(says)
    assert "Traceback" not in done.stderr
    assert contents() == before
    assert subprocess.run([*command, "-n"], capture_output=True).returncode == 0


@pytest.mark.slow
def test_a_damaged_artifact_of_a_run(small, tmp_path):
    """As rows `features-halved` and the like, but in a run: what was made from it before stays, but for its own output."""
    for name in ("results", "figures", "data"):
        shutil.copytree(small / name, tmp_path / name, copy_function=os.link)
    for name in ("config.yaml", "datasets.tsv", "corpora.tsv"):
        shutil.copy(small / name, tmp_path / name)
    shutil.copytree(small / ".snakemake" / "metadata", tmp_path / ".snakemake" / "metadata")
    damaged, made = (f"results/{kind}/pictures/minilm-l6.safetensors" for kind in ("features", "neighbors"))
    data = (tmp_path / damaged).read_bytes()
    (tmp_path / damaged).unlink()
    (tmp_path / damaged).write_bytes(halved(data))
    before = contents(tmp_path)
    done = snakemake(tmp_path, "--cores", "1", made)
    assert done.returncode != 0
    assert f"index_neighbors: {damaged}: cannot be read as a prh-features 1 file" in done.stderr
    assert "Traceback" not in done.stderr
    assert {
        **contents(tmp_path),
        made: before[made],
    } == before  # Snakemake itself removes it before the job begins


def test_the_page_counts_right():
    """docs/reliability.md says how many rows of each kind there are, by the first word of their names."""
    page = (ROOT / "docs" / "reliability.md").read_text()
    said = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE))
    assert said == {
        kind: str(count) for kind, count in Counter(row.id.split("-")[0] for row in TABLE).items()
    }
    assert f"{len(TABLE)} bad inputs" in page
    assert f"{len(GOOD)} kinds of job" in page
    assert len({row.id for row in TABLE}) == len(TABLE)
