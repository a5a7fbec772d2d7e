"""The project under test: where it is, a copy of it, and Snakemake run on it as a user would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]


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


def snakemake(folder, *arguments):
    """Run the workflow in a folder with its config.yaml."""
    return snakemake_of(ROOT, folder, *arguments)


def snakemake_of(clone, folder, *arguments):
    """The same with the workflow of another clone."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(clone / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "config.yaml"), *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=3600)


def short_texts():
    """The table of texts, as text, with 2,000 bytes of the one that the default run scores."""
    text = (ROOT / "config" / "corpora.tsv").read_text()
    assert "\t24000\t" in text
    return text.replace("\t24000\t", "\t2000\t")
