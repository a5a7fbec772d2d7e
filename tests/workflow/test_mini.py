"""The mini reproduction from end to end, as a user runs it in a fresh clone (about ten minutes on two cores)."""

import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from helpers.project import copy_repository, needs_package_index
from prh.provenance import tree_digests

pytestmark = pytest.mark.slow
FLOOR, TRAINED, EMBEDDING = "smollm2-135m-random", "smollm2-135m", "minilm-l6"
LARGER = "qwen2.5-coder-0.5b"


def snakemake(folder, *arguments, timeout=3600):
    command = [sys.executable, "-m", "snakemake", *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout
    )


def planned(folder):
    """The rules that a run would execute."""
    done = snakemake(folder, "--dry-run", "--quiet", "rules")
    assert done.returncode == 0, done.stderr
    words = [line.split() for line in (done.stdout + done.stderr).splitlines()]
    return {word[0] for word in words if len(word) == 2 and word[1].isdigit()} - {"total"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    needs_package_index()
    folder = copy_repository(tmp_path_factory.mktemp("mini"))
    done = snakemake(folder, "--cores", "all")
    assert done.returncode == 0, done.stderr[-6000:]
    return folder


def test_better_language_models_are_nearer_to_vision(finished):
    """The order comes out of the data: random weights < trained < larger < trained to embed sentences."""
    table = pd.read_csv(finished / "results/tables/alignment.csv").query("metric == 'mutual_knn' and k == 10")
    for vision in ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2", "mobilenet-v2"):
        score = table[table.model_y == vision].set_index("model_x").score
        assert score[FLOOR] < score[TRAINED] < score[LARGER] < score[EMBEDDING]
    across = table[(table.modality_x == "language") & (table.modality_y == "vision")]
    assert len(across) == 24
    assert (across.score > across.tau).all()
    assert (across.ci_low < across.score).all()
    assert (across.score < across.ci_high).all()


def test_bits_per_byte(finished):
    score = pd.read_csv(finished / "results/tables/performance.csv").set_index("model").bits_per_byte
    assert 0.5 < score[TRAINED] < 1.2
    assert 3 < score[FLOOR] < 5
    assert score[TRAINED] < score[LARGER] < 1.5  # a model of code, on prose


def test_a_second_run_does_nothing(finished):
    done = snakemake(finished, "--cores", "all")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_tables_and_figures_come_out_the_same_again(finished):
    """Everything behind the features once more: the same bytes."""
    before = made(finished)
    for folder in ("neighbors", "alignment", "calibration", "tables"):
        shutil.rmtree(finished / "results" / folder)
    shutil.rmtree(finished / "figures")
    assert snakemake(finished, "--cores", "all").returncode == 0
    assert made(finished) == before


def made(folder):
    """Digests of tables and figures; the page that says what they are is no result."""
    files = {name: tree_digests(folder / name).items() for name in ("results/tables", "figures")}
    return {name: {f: d for f, d in found if f != "README.md"} for name, found in files.items()}


@pytest.mark.parametrize(
    ("file", "rules"),
    [
        ("scripts/plot_alignment_matrix.py", {"plot_alignment_matrix"}),
        ("scripts/prh/figures/metrics.py", {f"plot_{n}" for n in ("alignment_by_metric", "cknna_by_k", "metric_agreement", "metric_properties", "raw_vs_calibrated")}),
        ("scripts/prh/performance/correlation.py", {"correlate", *(f"plot_{n}" for n in ("raw_vs_calibrated", "alignment_over_n", "published_alignment", "published_by_metric"))}),
    ],
)  # fmt: skip
def test_an_edit_runs_again_what_uses_it(finished, file, rules):
    path = finished / file
    text, before = path.read_text(), path.stat()
    try:
        path.write_text(text + "\n# edited\n")
        assert planned(finished) == rules | {"report", "make_page", "all"}
    finally:
        path.write_text(text)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # Snakemake looks at a script's time, too
