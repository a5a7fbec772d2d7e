"""In a finished run, files of its user's: what an edit plans anew, and what the audit says of it; what a touch or a copy does not."""

import os
import shutil

import pytest
from PIL import Image

from helpers.project import snakemake
from prh.audit import audit

DATA = "results/data/pictures"


@pytest.fixture
def copy(small, tmp_path):
    """A copy of the small run that may be altered, with all that Snakemake knows of it."""
    for name in ("results", "figures", ".snakemake/metadata"):
        shutil.copytree(small / name, tmp_path / name, copy_function=os.link)
    for name in ("config.yaml", "datasets.tsv", "corpora.tsv"):
        shutil.copy(small / name, tmp_path / name)
    shutil.copytree(small / "data", tmp_path / "data")  # copied, not linked: other times, the same content
    return tmp_path


def planned(folder):
    """The rules that a run would execute."""
    done = snakemake(folder, "--dry-run", "--quiet", "rules")
    assert done.returncode == 0, done.stderr
    words = [line.split() for line in (done.stdout + done.stderr).splitlines()]
    return {word[0]: int(word[1]) for word in words if len(word) == 2 and word[1].isdigit()}


def said(folder):
    """What the audit finds of the data set of the user's pictures."""
    return {found.artifact: found for found in audit.audit(folder, samples=0)}[DATA]


def test_a_copied_and_touched_folder_is_the_same(copy):
    for path in (copy / "data/pictures").iterdir():
        path.touch()
    assert planned(copy) == {}


def test_a_copied_run_is_the_same(small, copy, tmp_path):
    """Copied in any order, as `cp -r` does; and artifacts that were touched."""
    for name in ("results", "figures", ".snakemake"):
        shutil.rmtree(copy / name)
        shutil.copytree(small / name, copy / name, copy_function=shutil.copyfile)
    for path in sorted((copy / "results").rglob("*"), reverse=True):
        if path.is_file():
            path.touch()
    assert planned(copy) == {}
    assert planned(copy) == {}
    table = copy / "results/tables/performance.csv"
    table.write_text(
        table.read_text().replace("web_bible", "another")
    )  # no copy: what shows it is drawn anew
    assert "plot_alignment_vs_performance" in planned(copy)


def test_the_audit_compares_with_what_is_there(copy):
    assert said(copy).verdict == "ok"
    assert "21 files of its user are as they were" in said(copy).reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: (p / "captions.csv").write_text((p / "captions.csv").read_text().replace("picture 3", "a disc")), "data/pictures/captions.csv, which it was made from, has changed since"),
        (lambda p: Image.new("RGB", (9, 9), "red").save(p / "5.png"), "data/pictures/5.png, which it was made from, has changed since"),
        (lambda p: (p / "7.png").unlink(), "data/pictures/7.png, which it was made from, is gone"),
    ],
    ids=["caption", "picture", "deleted"],
)  # fmt: skip
def test_an_edit_is_seen(copy, change, reason):
    change(copy / "data/pictures")
    jobs = planned(copy)
    assert jobs["fetch_dataset"] == 1
    assert jobs["extract_language_features"] == 2
    assert "fetch_language_model" not in jobs
    found = said(copy)
    assert found.verdict == "fail"
    assert reason in found.reason


def test_a_run_without_its_users_files_goes_on(copy):
    """As one that was sent to somebody else, or whose pictures were put away."""
    shutil.rmtree(copy / "data")
    assert planned(copy) == {}
    found = said(copy)
    assert found.verdict == "ok"
    assert "21 files of its user are not here, and were not compared" in found.reason
