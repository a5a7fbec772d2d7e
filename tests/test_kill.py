"""The workflow killed at random moments and resumed; two runs at once in one folder."""

import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from conftest import ROOT, SNAKEMAKE, snakemake
from prh import audit
from prh.provenance import tree_digests

pytestmark = pytest.mark.slow
KILLS = 20


def begin(folder, *arguments):
    """Snakemake in a process group of its own."""
    command = [*SNAKEMAKE, "--directory", str(folder), "--configfile", str(folder / "config.yaml")]
    return subprocess.Popen(
        [*command, "--cores", "2", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture
def fresh(small, tmp_path):
    """The small run's configuration, pictures and downloads, and nothing made of them."""
    for name in ("config.yaml", "datasets.tsv", "corpora.tsv"):
        shutil.copy(small / name, tmp_path / name)
    shutil.copytree(small / "data", tmp_path / "data")
    for name in ("results/packages", "results/records/results/packages"):
        shutil.copytree(small / name, tmp_path / name)
    return tmp_path


def test_killed_and_resumed(small, fresh):
    rng, kills = random.Random(0), 0
    while kills < KILLS:
        process = begin(fresh, "--rerun-incomplete")
        try:
            process.wait(timeout=rng.uniform(1, 12))
            break  # finished: it got further in each attempt than was lost
        except subprocess.TimeoutExpired:
            kill(process)
            kills += 1
            snakemake(fresh, "--unlock")
    done = snakemake(fresh, "--cores", "2", "--rerun-incomplete")
    assert done.returncode == 0, done.stderr[-3000:]
    print(f"killed {kills} times")
    for name in ("results/tables", "results/neighbors", "results/features", "figures"):
        assert tree_digests(fresh / name) == tree_digests(small / name), name
    assert audit.failures(audit.audit(fresh, samples=0)) == []
    assert kills >= 10


def test_two_runs_at_once(fresh):
    first = begin(fresh)
    try:
        for _ in range(100):
            if (fresh / ".snakemake" / "locks").is_dir() and any((fresh / ".snakemake" / "locks").iterdir()):
                break
            time.sleep(0.2)
        second = snakemake(fresh, "--cores", "1")
        assert second.returncode != 0
        assert "lock" in second.stderr.lower()
    finally:
        kill(first)
