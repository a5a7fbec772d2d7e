"""One user publishes a run on a hub, another, without the first one's pictures, imports it: the same tables and figures, with nothing
fetched and no model run.
"""

import os
import shutil
import subprocess
import sys

import pytest

from helpers.project import ROOT, snakemake
from helpers.shared import Hub

REPO = "alice/small"


def share(folder, hub, *arguments):
    """The command in a process of its own, in a folder, with a client that knows the hub."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    more = hub.environment(folder.parent / "home", HF_TOKEN="hf_write")
    command = [sys.executable, str(ROOT / "scripts/share.py"), *arguments]
    done = subprocess.run(command, cwd=folder, env=clean | more, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_both_have_the_same(small, tmp_path):
    alice, bob = tmp_path / "alice", tmp_path / "bob"
    for folder in (alice, bob):
        folder.mkdir()
        for name in ("config.yaml", "datasets.tsv", "corpora.tsv"):
            shutil.copy(small / name, folder / name)
    for name in ("data", "results", "figures"):
        shutil.copytree(small / name, alice / name, copy_function=os.link)
    shutil.copytree(small / ".snakemake/metadata", alice / ".snakemake/metadata")
    done = snakemake(alice, "--cores", "2", "crate")
    assert done.returncode == 0, done.stderr[-3000:]
    (tmp_path / "hub").mkdir()
    hub = Hub(tmp_path / "hub")
    try:
        said = share(alice, hub, "publish", REPO, "--features", "all")
        assert (
            "left out: results/features/pictures/minilm-l6.safetensors: the data set `pictures` is under `mine`"
            in said
        )
        share(bob, hub, "import", REPO)
    finally:
        hub.close()
    done = snakemake(bob, "--cores", "2", "figures", "tables")
    assert done.returncode == 0, done.stderr[-3000:]
    assert not (bob / "results/models").exists()
    assert not (bob / "results/packages").exists()
    tables = sorted(path.relative_to(alice) for path in alice.glob("results/tables/*.csv"))
    figures = sorted(path.relative_to(alice) for path in alice.glob("figures/**/*.*"))
    assert len(tables) > 3
    assert len(figures) > 40
    other = [
        str(path) for path in [*tables, *figures] if (alice / path).read_bytes() != (bob / path).read_bytes()
    ]
    assert other == []
