"""The package `prh`: what its wheel holds and needs, what it says in examples, its command, its notebook."""

import doctest
import json
import os
import subprocess
import sys
import tomllib
from importlib import import_module

import nbformat
import numpy as np
import papermill
import pytest
import yaml
from packaging.requirements import Requirement
from safetensors.torch import save_file

import prh
from helpers.project import ROOT, copy_repository
from prh.alignment.align import measure
from prh.alignment.catalogue import METRICS
from prh.command import main
from prh.provenance import code_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = {Requirement(line).name: Requirement(line) for line in PROJECT["dependencies"]}
# What the workflow needs besides, as it is imported: none of it must be there.
ABSENT = ["snakemake", "transformers", "matplotlib", "pandas", "pyarrow", "sklearn", "PIL", "tqdm", "onnx"]
BLOCK = f"""
import sys
for name in {ABSENT}:
    sys.modules[name] = None  # importing it fails
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the wheel's content, built from a copy of the project and installed without what it needs."""
    clone = copy_repository(tmp_path_factory.mktemp("library"))
    target = clone.parent / "installed"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
    ]
    done = subprocess.run([*pip, "--target", str(target), str(clone)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def files(tmp_path):
    """Feature files of two related models, one of three layers and one of two, of 60 items."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((60, 4))
    x, y = (z[:, None] @ rng.standard_normal((m, 4, 9)).transpose(1, 0, 2).reshape(4, -1) for m in (3, 2))
    x, y = x.reshape(60, 3, 9), y.reshape(60, 2, 9)
    np.save(tmp_path / "x.npy", x + rng.standard_normal(x.shape))
    np.savez(tmp_path / "y.npz", y + rng.standard_normal(y.shape))
    return str(tmp_path / "x.npy"), str(tmp_path / "y.npz")


def run(installed, code, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", BLOCK + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=installed)


def test_the_wheel_works_without_what_only_the_workflow_needs(installed, files):
    code = """
from prh import align, calibrate, measure, read_any_features
import prh
x, y = map(read_any_features, sys.argv[1:])
found = calibrate(x, y, "cka", permutations=9, resamples=9)
print(prh.__file__, align(x, y).score, found.score == align(x, y, "cka").score, measure(x[0], y[0]) > 0)
"""
    done = run(installed, code, *files)
    assert done.returncode == 0, done.stderr
    where, score, *checks = done.stdout.split()
    assert where.startswith(str(installed))
    assert 0 < float(score) < 1
    assert checks == ["True", "True"]


def test_every_public_name_is_found_without_the_workflows_needs(installed):
    done = run(
        installed, "import prh\nprint([getattr(prh, name) is not None for name in prh.PUBLIC], len(dir(prh)))"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("True") == len(prh.PUBLIC)


def test_importing_the_package_imports_nothing_of_it():
    code = "import sys, prh; print([name for name in sys.modules if name.startswith(('prh.', 'torch', 'numpy'))])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
    )
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        prh.nothing  # noqa: B018


def test_a_rule_does_not_depend_on_the_public_names(tmp_path):
    """What the package offers to others, its own file and what that names, counts for no script."""
    (tmp_path / "some.py").write_text("from prh.errors import InputError\n")
    found = code_files(tmp_path / "some.py", ROOT / "scripts" / "prh")
    assert set(found) == {"some.py", "prh/errors.py"}


def test_the_wheel_holds_three_packages_and_the_command(installed):
    assert {path.name for path in (installed / "prh").iterdir() if path.is_dir()} - {"__pycache__"} == {
        "alignment",
        "features",
    }
    assert {path.name for path in installed.iterdir()} - {"__pycache__"} == {
        "prh",
        f"prh-{PROJECT['version']}.dist-info",
        "bin",
    }
    done = subprocess.run(
        [sys.executable, str(installed / "bin" / "prh"), "score", "--help"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )
    assert "--calibrate" in done.stdout


def test_its_version_and_needs_are_the_projects():
    assert PROJECT["version"] == yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    listed = yaml.safe_load((ROOT / "envs" / "alignment.yaml").read_text())["dependencies"]
    conda = dict(line.replace("pytorch", "torch").split(" ", 1) for line in listed)
    assert set(NEEDED) == {"numpy", "scipy", "torch", "safetensors"}
    assert {name: str(need.specifier) for name, need in NEEDED.items()} == {
        name: str(Requirement(name + conda[name]).specifier) for name in NEEDED
    }


@pytest.mark.parametrize("name", [name for name in prh.PUBLIC if name[0].islower()])
def test_examples_say_what_happens(name):
    module = import_module(prh.PUBLIC[name])
    (found,) = [
        test for test in doctest.DocTestFinder().find(module) if test.name == f"{module.__name__}.{name}"
    ]
    assert found.examples
    assert doctest.DocTestRunner().run(found).failed == 0


def test_a_score_is_a_line(files, capsys):
    main(["score", *files, "--metric", "mutual_knn@5"])
    said = capsys.readouterr()
    best = prh.align(*map(prh.read_any_features, files), "mutual_knn@5")
    assert said.out == (
        f"mutual_knn@5 {best.score:.4f}: layer {best.layer_x} of {files[0]}, layer {best.layer_y} of {files[1]}, 60 items\n"
    )
    assert said.err == ""


def test_a_calibrated_score_is_json_and_a_line(files, capsys):
    main(["score", *files, "--calibrate", "19", "--seed", "3", "--clamp", "none", "--json"])
    said = capsys.readouterr()
    found = json.loads(said.out)
    made = prh.calibrate(*map(prh.read_any_features, files), permutations=19, seed=3, clamp=None)
    assert found["score"] == made.score
    assert [found["ci_low"], found["ci_high"]] == list(made.interval)
    for key in ("null_mean", "tau", "p_value", "calibrated_score", "layer_x", "layer_y"):
        assert found[key] == getattr(made, key)
    assert (found["metric"], found["permutations"], found["seed"], found["n"]) == ("mutual_knn@10", 19, 3, 60)
    assert f"chance {made.null_mean:.4f}" in said.err
    assert len(said.err.splitlines()) == 1


def test_a_metric_without_an_interval_has_none(files, capsys):
    main(["score", *files, "--metric", "svcca", "--calibrate", "5", "--json"])
    said = capsys.readouterr()
    assert json.loads(said.out)["ci_low"] is None
    assert "interval" not in said.err


def test_files_of_the_project_are_taken(tmp_path, capsys):
    x = np.random.default_rng(0).standard_normal((30, 5)).astype(np.float32)
    save_file({"a": prh.read_any_features(_saved(tmp_path / "x.npy", x))[0]}, tmp_path / "x.safetensors")
    main(["score", str(tmp_path / "x.npy"), str(tmp_path / "x.safetensors"), "--metric", "cka"])
    assert capsys.readouterr().out.startswith(f"cka {measure(x, x, 'cka'):.4f}: layer 0")


def _saved(path, array):
    np.save(path, array)
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score"], "required: x, y"),
        (["count"], "invalid choice: 'count'"),
        (["score", "nothing.npy", "{y}"], "nothing.npy: no such file"),
        (["score", "{x}", "{y}", "--metric", "cosine"], "unknown metric 'cosine'"),
        (
            ["score", "{x}", "{y}", "--metric", "mutual_knn"],
            "mutual_knn needs k, the number of neighbours, as in mutual_knn@10",
        ),
        (["score", "{x}", "{y}", "--metric", "mutual_knn@ten"], "after @ stands the number of neighbours"),
        (["score", "{x}", "{y}", "--metric", "mutual_knn@59"], "60 samples are too few for k = 59"),
        (
            ["score", "{x}", "{y}", "--metric", "procrustes", "--calibrate", "9"],
            "procrustes has no cheap form",
        ),
        (["score", "{x}", "{y}", "--calibrate", "0"], "at least one permutation"),
        (["score", "{x}", "{y}", "--calibrate", "many"], "invalid int value: 'many'"),
        (["score", "{x}", "{short}"], "x has 60 samples, y has 59"),
        (["score", "{x}", "{dead}"], "y: layer 1, row 7: all features are zero"),
    ],
)
def test_bad_requests_are_one_line(arguments, message, files, tmp_path):
    y = np.load(files[1])["arr_0"]
    dead = y.copy()
    dead[7, 1] = 0
    made = {"x": files[0], "y": files[1], "short": _saved(tmp_path / "short.npy", y[:59])}
    made["dead"] = _saved(tmp_path / "dead.npy", dead)
    with pytest.raises(SystemExit) as ended:
        main([part.format(**made) for part in arguments])
    assert str(ended.value.code).startswith("prh: ")
    assert message in ended.value.code
    assert "\n" not in ended.value.code


def test_the_notebook_of_metrics_runs(tmp_path, monkeypatch):
    """Every metric of the catalogue is in its tables, with a number."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "scripts"))
    done = tmp_path / "metrics.ipynb"
    papermill.execute_notebook(
        ROOT / "notebooks" / "metrics.ipynb",
        done,
        kernel_name="python3",
        progress_bar=False,
        execution_timeout=300,
    )
    shown = [
        output["data"]["text/html"]
        for cell in nbformat.read(done, as_version=4).cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    assert len(shown) == 3
    for metric, spec in METRICS.items():
        assert f"<td>{metric}{'@10' if spec.needs_k else ''}</td>" in shown[0]
        assert (f"<td>{metric}{'@10' if spec.needs_k else ''}</td>" in shown[1]) == spec.cheap_null
    assert "NaN" not in shown[0]
