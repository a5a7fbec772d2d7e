import os
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


def copy_repository(folder):
    """Copy what git tracks, or would, below `folder`, and return the copy."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (folder / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "clone" / name)
    return folder / "clone"


def needs_package_index():
    """Skip where pip reaches no package index."""
    probe = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", os.devnull, "emoji==0.0.0"]
    answer = subprocess.run([*probe, "--retries=1", "--timeout=10"], capture_output=True, text=True).stderr
    if "from versions: none" in answer or "from versions" not in answer:
        pytest.skip("no package index in reach: pip cannot fetch the pinned wheels")
