"""The workflow killed at random moments and resumed; two runs at once in one folder."""

import base64
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter

import pytest

from helpers.project import ROOT, SNAKEMAKE, snakemake
from prh.audit import audit, findings
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


def begun(folder, since):
    """Logs of the jobs that have begun to work since then (seconds): each opens its own."""
    logs = (folder / "results" / "logs").rglob("*.log")
    return [path for path in logs if path.stat().st_mtime >= since]


def interrupted(folder):
    """What jobs that did not end were to make, as Snakemake remembers it."""
    marks = (path.name for path in (folder / ".snakemake" / "incomplete").rglob("*") if path.is_file())
    return sorted(base64.urlsafe_b64decode(mark).decode() for mark in marks)


def test_killed_and_resumed(small, fresh):
    """Moments are counted in jobs and not in seconds, so that all kills fall into work, however fast the machine is."""
    rng = random.Random(0)
    hit = Counter()
    for _ in range(KILLS):
        since, process = time.time(), begin(fresh, "--rerun-incomplete")
        jobs = rng.randint(1, 5)
        while len(begun(fresh, since)) < jobs:
            assert process.poll() is None, "finished before it was killed often enough: let fewer jobs begin"
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 2))
        kill(process)
        hit.update(
            name.split("/")[1] if name.startswith("results") else "figures" for name in interrupted(fresh)
        )
        shutil.rmtree(fresh / ".snakemake" / "locks")  # as --unlock does, but at once
    print(f"killed {KILLS} times, while making {dict(hit)}")
    done = snakemake(fresh, "--cores", "2", "--rerun-incomplete")
    assert done.returncode == 0, done.stderr[-3000:]
    for name in ("results/tables", "results/neighbors", "results/features", "figures"):
        assert tree_digests(fresh / name) == tree_digests(small / name), name
    assert findings.failures(audit.audit(fresh, samples=0)) == []
    assert not list(fresh.rglob(".partial.*"))
    assert hit


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
