"""Where a clone lies, and who may read what it makes: odd folder names, no home folder, umask and groups."""

import os
import subprocess
import sys
import sysconfig
import venv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from faults.test_faults import without_rights
from helpers.project import ROOT, copy_repository
from prh.errors import NOT_YOURS
from prh.provenance import record, write_json

ODD = "it's [a] bläñk & $more"


@pytest.fixture
def odd_clone(tmp_path):
    """A clone in a folder with an odd name, with an interpreter of its own in it, as `make` has it."""
    clone = copy_repository(tmp_path / ODD)
    venv.create(clone / ".venv")
    libraries = Path(sysconfig.get_path("purelib", vars={"base": str(clone / ".venv")}))
    (libraries / "shared.pth").write_text(sysconfig.get_path("purelib"))
    return clone


def test_a_clone_in_a_folder_with_an_odd_name_and_no_home(odd_clone):
    """A job runs, and nothing is said of what the home folder lacks."""
    cache = odd_clone / ".cache"
    places = {"HOME": os.devnull, "XDG_CACHE_HOME": str(cache), "MPLCONFIGDIR": str(cache / "matplotlib")}
    command = [".venv/bin/python", "-m", "snakemake", "--cores", "1", "figures/metric_properties.pdf"]
    done = subprocess.run(command, cwd=odd_clone, env=os.environ | places, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (odd_clone / "figures/metric_properties.pdf").is_file()
    assert "home" not in done.stdout + done.stderr
    assert os.devnull not in done.stdout + done.stderr


def test_braces_in_the_path_of_the_clone(tmp_path):
    """Named before any job."""
    clone = copy_repository(tmp_path / "brace{s}")
    command = [sys.executable, "-m", "snakemake", "-n"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1] == (
        f"{clone}: Snakemake takes braces in the clone's path for wildcards; move the clone to a folder without"
    )


@pytest.mark.parametrize("named", [True, False], ids=["writable", "not-writable"])
def test_make_finds_a_place_for_caches(tmp_path, named):
    """In the clone where the home folder may not be written to; else where they are used to be."""
    home = {"HOME": str(tmp_path) if named else os.devnull}
    # make's own variables are there when make runs the tests: its words would stand among what is shown.
    left_out = ("XDG_CACHE_HOME", "MPLCONFIGDIR", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    kept = {key: value for key, value in os.environ.items() if key not in left_out}
    shown = "shown: ; @echo $${XDG_CACHE_HOME:-none} $${MPLCONFIGDIR:-none}"
    done = subprocess.run(
        ["make", "--eval", shown, "shown"], cwd=ROOT, env=kept | home, capture_output=True, text=True
    )
    expected = "none none" if named else f"{ROOT}/.cache {ROOT}/.cache/matplotlib"
    assert done.stdout.strip() == expected, done.stderr


MODES = """
import os, sys
from pathlib import Path
from types import SimpleNamespace
sys.path.insert(0, {library!r})
import torch
from safetensors.torch import save_file
from prh.features.tensors import write_tensors
from prh.job import job

class Files(dict):
    def __iter__(self):
        return iter(self.values())

os.umask({umask})
snakemake = SimpleNamespace(
    output=Files(features="out/a.safetensors", model="out/model"), input=Files(), params=Files(), rule="try",
    log=["logs/try.log"],
)
Path("out").mkdir()
Path("own.txt").write_text("own")
Path("own.txt").chmod(0o600)
with job(snakemake) as out:
    write_tensors(out.features, {{"layer": torch.zeros(2, 2)}}, "try 1", {{}})
    out.model.mkdir(mode=0o700)
    save_file({{"weight": torch.zeros(2)}}, out.model / "model.safetensors")
    os.link("own.txt", out.model / "linked.txt")
"""


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o022, 0o644, 0o755), (0o002, 0o664, 0o775), (0o077, 0o600, 0o700)]
)
def test_outputs_follow_the_umask(tmp_path, umask, file, folder):
    """Also what safetensors writes for its owner only; a linked file of the user's own keeps its mode."""
    code = MODES.format(library=str(ROOT / "scripts"), umask=umask)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    modes = {p.relative_to(tmp_path).as_posix(): p.stat().st_mode & 0o7777 for p in tmp_path.rglob("*")}
    assert modes.pop("out/model/linked.txt") == modes.pop("own.txt") == 0o600
    files = {"out/a.safetensors", "out/model/model.safetensors", "logs/try.log"}
    assert {modes.pop(name) for name in (*files, "results/records/out/a.safetensors.json")} == {file}
    assert set(modes.values()) == {folder}


READS = """
import sys
sys.path.insert(0, {library!r})
from prh import tables
from prh.errors import InputError
from prh.features.layers import read_features
from prh.features.files import read_any_features
from prh.provenance import read_json, read_record
from prh.sources.captions import read_table
from prh.sources.datasets import read_captions
from prh.sources.images import read_image
for name, read in {{
    "a.safetensors": read_features, "b.safetensors": read_any_features, "c.json": lambda path: read_json(path, []),
    "d.json": read_record, "data/captions.parquet": lambda path: read_captions("data"), "e.csv": tables.read_table,
    "f.parquet": lambda path: tables.read_parts([path], []), "g.png": read_image, "pairs/captions.csv": lambda path: read_table("pairs"),
}}.items():
    try:
        read(name)
    except InputError as error:
        print(error)
"""


def test_what_may_not_be_read_is_not_called_damaged(tmp_path):
    """By each reader the same words, and none of them says to remove it."""
    names = ("a.safetensors", "b.safetensors", "c.json", "d.json", "data/captions.parquet", "e.csv")
    names += ("f.parquet", "g.png", "pairs/captions.csv")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("somebody's")
        (tmp_path / name).chmod(0)
    command = [sys.executable, "-c", READS.format(library=str(ROOT / "scripts"))]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=without_rights
    )  # fmt: skip
    assert done.stdout.splitlines() == [f"{name}: {NOT_YOURS}" for name in names], done.stderr


def test_an_audit_by_who_may_only_read(tmp_path, monkeypatch):
    """What may not be read is named, nothing is advised against it, and the report is said to be unwritten."""
    monkeypatch.chdir(tmp_path)
    made = Path("results/corpora/text.txt")
    made.parent.mkdir(parents=True)
    made.write_text("a text")
    Path("results/records/results/corpora").mkdir(parents=True)
    said = record("fetch_corpus", [], {str(made): made}, {}, 1, datetime(2026, 1, 1, tzinfo=UTC))
    write_json("results/records/results/corpora/text.txt.json", said)
    made.chmod(0)
    Path("results").chmod(0o555)
    command = [sys.executable, str(ROOT / "scripts/audit.py"), "."]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, preexec_fn=without_rights
        )  # fmt: skip
    finally:
        Path("results").chmod(0o755)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"fail: {made}: {NOT_YOURS}",
        "1 artifacts: 1 fail. The whole table is not written: results/audit is read-only; name another folder by --out",
    ], done.stderr
