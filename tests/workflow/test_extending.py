"""docs/extending.md is true: its toys, applied to a copy as the diffs stand there, appear everywhere with no other edit."""

import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import yaml

from helpers.pages import fences
from helpers.project import copy_repository, snakemake_of

PAGE = "docs/extending.md"
FIGURE, METRIC, MODEL = "score_histogram", "jaccard_knn", "grey-grid"


@pytest.fixture(scope="module")
def toys(small, tmp_path_factory):
    """A finished run of a copy with the toy figure, metric and kind of model: 64 drawings, three models."""
    top = tmp_path_factory.mktemp("toys")
    clone, folder = copy_repository(top), top / "run"
    (top / "toys.diff").write_text("".join(fences(PAGE, "diff")))
    subprocess.run(["patch", "-p1", "-s", "-i", str(top / "toys.diff")], cwd=clone, check=True)
    (row,) = fences(PAGE, "tsv")
    with (clone / "config/models.tsv").open("a") as table:
        table.write(row)
    folder.mkdir()
    config = yaml.safe_load((small / "config.yaml").read_text())
    config |= {
        "title": "toys",
        "datasets": config["datasets"][:1],
        "models": ["minilm-l6", "mobilenet-v2", MODEL],
        "caption_density": None,
        "colour_geometry": None,
        "transfer": None,
        "alignment_over_n": None,
    }
    for text in fences(PAGE, "yaml"):
        if "my_pictures" not in text:  # which are the reader's
            config |= yaml.safe_load(text)
    config["calibration"]["permutations"] = 19
    (folder / "config.yaml").write_text(json.dumps(config))
    shutil.copy(small / "datasets.tsv", folder)
    shutil.copy(small / "corpora.tsv", folder)
    for name in ("packages", "models"):
        shutil.copytree(small / "results" / name, folder / "results" / name)
        records = f"results/records/results/{name}"
        shutil.copytree(small / records, folder / records)
    for arguments in (("--cores", "2"), ("--cores", "1", "--report", str(top / "tour.html"))):
        done = snakemake_of(clone, folder, *arguments)
        assert done.returncode == 0, done.stderr[-6000:]
    return folder


pytestmark = pytest.mark.slow


def test_toys_are_in_the_tables(toys):
    table = pd.read_csv(toys / "results/tables/alignment.csv")
    mine = table[(table.metric == METRIC) & (table.model_y == MODEL)]
    assert len(mine) == 2
    assert mine[mine.model_x == "minilm-l6"].p_value.notna().all()
    assert len(pd.read_csv(toys / f"figures/{FIGURE}.csv")) == 3


def test_toys_are_on_the_page_and_in_the_tour(toys):
    page = (toys / "results/report/page.html").read_text(encoding="utf-8")
    assert "How scores are spread" in page
    assert "Jaccard k-NN" in page
    assert "Grey grid (toy)" in page
    tour = (toys.parent / "tour.html").read_text(encoding="utf-8")
    assert f"figures/{FIGURE}.png" in tour
    assert "How scores are spread" in tour


def test_toys_are_audited(toys):
    """By the copy's own audit: the figure's rows, some of the metric's scores, some of the model's features made again."""
    command = [sys.executable, str(toys.parent / "clone/scripts/audit.py"), str(toys), "--samples", "100"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = pd.read_csv(toys / "results/audit/audit.csv").set_index("artifact")
    assert (found.verdict == "ok").all()
    assert "format" in found.checks[f"figures/{FIGURE}.csv"]
    assert "format" in found.checks[f"results/models/{MODEL}"]
    for name in (f"features/openmoji_64/{MODEL}.safetensors", f"alignment/openmoji_64/{METRIC}/0-0.parquet"):
        assert "sample" in found.checks[f"results/{name}"], name


def test_a_figure_costs_a_row_a_script_and_a_caption():
    """And nothing else: three files, of which the table takes one line."""
    (diff,) = [text for text in fences(PAGE, "diff") if FIGURE in text]
    files = [line.removeprefix("+++ b/") for line in diff.splitlines() if line.startswith("+++ ")]
    assert sorted(files) == [f"report/{FIGURE}.rst", "rules/figures.smk", f"scripts/plot_{FIGURE}.py"]
    row = diff.split("+++ b/rules/figures.smk")[1].split("--- ")[0]
    assert len([line for line in row.splitlines() if line.startswith("+")]) == 1
