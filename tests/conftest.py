import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]


@pytest.fixture
def config():
    """The mini configuration as it is read from YAML."""
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


@pytest.fixture
def workflow(tmp_path):
    """A function that runs Snakemake on this workflow in a folder of its own, and returns the finished process."""

    def run(*arguments, config=None, folder=tmp_path):
        command = [*SNAKEMAKE, "--directory", str(folder), *map(str, arguments)]
        if config is not None:
            (folder / "config.yaml").write_text(yaml.safe_dump(config))
            command += ["--configfile", str(folder / "config.yaml")]
        return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=900)

    return run


@pytest.fixture
def clone(tmp_path):
    """A copy of what git tracks (or would), without its history."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.split():
        target = tmp_path / "clone" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return tmp_path / "clone"
