"""Disks that are full and folders that are read-only. Bad inputs: test_bad_inputs.py; kills: test_kill.py."""

import ctypes
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults import bad_inputs
from faults.good_jobs import GOOD
from helpers.jobs import SNAKEMAKES_OWN, contents, prepare, watched
from helpers.project import ROOT, SNAKEMAKE

DOES = "import sys; sys.path[:0] = {paths}; from faults.good_jobs import GOOD; GOOD[{kind!r}][1]()"


@contextmanager
def no_file_beyond(size):
    """As if the disk were full: no file may grow beyond `size` bytes, those of child processes neither."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(
        sys, "dont_write_bytecode", True
    )  # Python would cut compiled modules off, for all time
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        monkeypatch.undo()


def largest_file_of(kind, folder):
    """Size of the largest file that a job writes."""
    folder.mkdir()
    os.chdir(folder)
    steps, run = GOOD[kind]
    prepare(steps, run)
    before = contents()
    assert watched(run)[0] == 0
    made = [Path(name) for name, _ in contents().items() - before.items()]
    return max(path.stat().st_size for path in made if path.is_file())


@pytest.mark.parametrize("share", [0, 0.5], ids=["at-once", "halfway"])
@pytest.mark.parametrize("kind", GOOD)
def test_a_disk_that_is_full(kind, share, here, tmp_path):
    """One line that says it; what was there before stays, and no half of a file is left."""
    size = 64 if share == 0 else int(share * largest_file_of(kind, tmp_path / "whole"))
    (tmp_path / "full").mkdir()
    os.chdir(tmp_path / "full")
    steps, run = GOOD[kind]
    prepare(steps, run)
    before = contents()
    with no_file_beyond(size):
        status, said = watched(run)
    assert status != 0
    assert len(said) == 1, "\n".join(said)
    assert "too large" in said[0]
    assert contents() == before


def test_no_place_for_the_record(here):
    """The output is small enough, its record is not: then there is neither, and the older ones stay."""
    run = bad_inputs.with_row(bad_inputs.CORPUS, bytes=10)
    prepare([bad_inputs.wheel({"text.txt": bad_inputs.TEXT})], run)
    assert watched(run)[0] == 0
    run.older()
    before = contents()
    with no_file_beyond(200):
        status, said = watched(run)
    assert status != 0
    assert said == ["fetch_corpus: OSError: [Errno 27] File too large"]
    assert contents() == before


def without_rights():
    """Root writes to read-only folders by two capabilities; a process that has called this has them no more."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@contextmanager
def read_only(folder):
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


def attempt(command, folder):
    """(exit status, lines on the terminal) of a command in `folder`, without root's rights to write anywhere."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, preexec_fn=without_rights
    )  # fmt: skip
    lines = (done.stdout + done.stderr).splitlines()
    return done.returncode, [line for line in lines if not line.startswith(SNAKEMAKES_OWN)]


@pytest.mark.parametrize("name", ["", "results", "figures", "results/tables"])
def test_a_read_only_folder(tmp_path, name):
    """Snakemake is stopped before it starts anything."""
    with read_only(tmp_path / name):
        before = contents(tmp_path)
        status, said = attempt([*SNAKEMAKE, "--cores", "1"], tmp_path)
        assert status != 0
        assert said == [f"{tmp_path / name} is read-only; make it writable, or run elsewhere by --directory"]
        assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["results/corpora", "results/logs", "results/records/results/corpora"])
def test_a_job_that_may_not_write(here, name):
    steps, run = GOOD["text"]
    prepare(steps, run)
    command = DOES.format(paths=[str(ROOT / "tests"), str(ROOT / "scripts")], kind="text")
    with read_only(Path(name)):
        before = contents()
        status, said = attempt([sys.executable, "-c", command], ".")
        assert status != 0
        assert said == [
            f"fetch_corpus: {name} is read-only; make it writable, or run elsewhere by --directory"
        ]
        assert contents() == before
