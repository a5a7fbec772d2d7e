import json
import subprocess
import sys

import pytest

from helpers.project import ROOT
from prh.provenance import digest

SCRIPT = """
import sys
from types import SimpleNamespace
sys.path.insert(0, {library!r})
from prh.errors import InputError
from prh.job import job, progress

class Files(dict):
    def __iter__(self):
        return iter(self.values())

snakemake = SimpleNamespace(
    output=Files(one="out/one.txt", folder="out/folder"), input=Files(given="given.txt"), params=Files(k=[1, 2]),
    rule="try", log=["logs/try.log"],
)
with job(snakemake) as out:
    print("said on stdout")
    for _ in progress(range(3), "counting"):
        pass
    out.one.write_text("one")
    out.folder.mkdir()
    (out.folder / "two.txt").write_text("two")
    {body}
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "given.txt").write_text("given")

    def run(body):
        code = SCRIPT.format(library=str(ROOT / "scripts"), body=body)
        return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)

    return run


def test_a_job_that_ends_well(run, tmp_path):
    done = run("pass")
    assert done.returncode == 0
    assert done.stdout == done.stderr == ""
    assert "said on stdout" in (tmp_path / "logs/try.log").read_text()
    assert "counting: 100%" in (tmp_path / "logs/try.log").read_text()
    record = json.loads((tmp_path / "results/records/out/one.txt.json").read_text())
    assert record["outputs"]["out/one.txt"] == {"sha256": digest(tmp_path / "out/one.txt"), "bytes": 3}
    assert record["outputs"]["out/folder"]["sha256"] == digest(tmp_path / "out/folder")
    assert record["inputs"] == {"given.txt": digest(tmp_path / "given.txt")}
    assert record["parameters"] == {"k": [1, 2]}


def test_bad_input_is_one_line_and_leaves_nothing(run, tmp_path):
    done = run("raise InputError('given.txt, line 1: not a number; correct it')")
    assert done.returncode == 1
    assert done.stderr == "try: given.txt, line 1: not a number; correct it\n"
    assert "Traceback" not in (tmp_path / "logs/try.log").read_text()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_fault_is_one_line_with_its_traceback_in_the_log(run, tmp_path):
    done = run("1 / 0")
    assert done.returncode == 1
    assert done.stderr == "try: ZeroDivisionError: division by zero\n"
    assert "Traceback" in (tmp_path / "logs/try.log").read_text()
    assert list((tmp_path / "out").iterdir()) == []


def test_the_older_output_outlives_a_failure(run, tmp_path):
    run("pass")
    run("raise InputError('no')")
    assert (tmp_path / "out/one.txt").read_text() == "one"


def test_an_output_that_was_not_written_fails_the_job(run, tmp_path):
    assert run("out.one.unlink()").returncode == 1
