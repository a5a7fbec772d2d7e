"""Digests: of files and folders, and of the code that a rule runs, which follows the library's packages."""

import json
import re
import subprocess

import pytest

from helpers.project import SNAKEMAKE, copy_repository
from prh.errors import InputError
from prh.provenance import code_digest, code_files, digest, tree_digests, write_manifest

SOURCES = {
    "prh/__init__.py": '"""The map."""\n',
    "prh/a/__init__.py": '"""A package."""\n',
    "prh/a/x.py": "from prh.b.x import y\n",
    "prh/b/__init__.py": "z = 1\n",
    "prh/b/x.py": "from . import deep\nfrom .deep.inner import w\ny = 1\n",
    "prh/b/deep/__init__.py": "",
    "prh/b/deep/inner.py": "import prh.top\n",
    "prh/top.py": "",
    "prh/a/unused.py": "",
    "prh/c/__init__.py": "",
    "prh/c/adapter.py": "from prh.a.unused import v\n",
    "script.py": "from prh.a import x\nimport json\n",
}
USED = {"script.py", "prh/a/x.py", "prh/b/__init__.py", "prh/b/x.py", "prh/b/deep/inner.py", "prh/top.py"}


@pytest.fixture
def sources(tmp_path):
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", SOURCES)
def test_the_code_digest_follows_packages(sources, name):
    before = code_digest(sources / "script.py", sources / "prh")
    with (sources / name).open("a") as file:
        file.write("# more\n")
    assert (code_digest(sources / "script.py", sources / "prh") != before) is (name in USED)


def test_two_files_of_one_name_are_two_files(sources):
    found = code_files(sources / "script.py", sources / "prh")
    assert set(found) == USED
    assert found["prh/a/x.py"] != found["prh/b/x.py"]


def test_a_script_of_a_modules_name_is_another_file(sources):
    (sources / "top.py").write_text("import prh.top\n")
    assert set(code_files(sources / "top.py", sources / "prh")) == {"top.py", "prh/top.py"}


def test_what_is_loaded_at_run_time_is_followed(sources):
    found = code_files(sources / "script.py", sources / "prh", ["prh.c.adapter"])
    assert set(found) == USED | {"prh/c/adapter.py", "prh/a/unused.py"}


@pytest.mark.parametrize("line", ["from prh.a.lost import v", "import prh.lost", "from .lost import v"])
def test_an_import_of_what_is_not_there_is_named(sources, line):
    (sources / "prh/a/x.py").write_text(line)
    with pytest.raises(InputError, match=r"prh\.(a\.)?lost: no such module"):
        code_digest(sources / "script.py", sources / "prh")


OF_THE_CLONE = {
    *("report", "make_page", "plot_published_alignment", "plot_published_by_metric"),
    *("embed_colour_words", "tabulate_colours", "plot_colour_geometry"),
}


def planned(clone, folder):
    """The rules that a run would execute because of their parameters, of the code's digest among them.

    Without targets, and without what takes a file of the workflow itself, which is another one in another clone.
    """
    command = [*SNAKEMAKE[:3], "--snakefile", str(clone / "Snakefile"), "--directory", str(folder)]
    command += [
        "--configfile",
        str(folder / "config.yaml"),
        "--rerun-triggers",
        "params",
        "--dry-run",
        "--quiet",
        "rules",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.M)
    return {rule for rule, _ in counts} - {"total", "all", *OF_THE_CLONE}


def edit(clone, *files):
    for file in files:
        with (clone / "scripts/prh" / file).open("a") as text:
            text.write("\n# edited\n")


def test_an_edit_in_a_package_runs_again_what_uses_it_and_nothing_else(small, tmp_path):
    clone = copy_repository(tmp_path)
    # What the run does not use: a kind of model and a source that it does not have, the audit, the map.
    edit(clone, "features/timm_vit.py", "sources/hub_pairs.py", "audit/definitions.py", "__init__.py")
    assert planned(clone, small) == set()
    edit(clone, "figures/pairs.py")
    assert planned(clone, small) == {"plot_alignment_matrix", "plot_layer_alignment"}
    edit(clone, "features/cnn.py")  # a kind of model: its models are made ready again, with all that follows
    found = planned(clone, small)
    assert {"fetch_vision_model", "extract_vision_features", "index_neighbors", "correlate"} <= found
    assert (
        not {"fetch_language_model", "extract_language_features", "score_language_model", "fetch_dataset"}
        & found
    )


def test_manifest_and_folder_digest(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_text("x")
    before = digest(tmp_path)
    (tmp_path / ".snakemake_timestamp").touch()
    assert digest(tmp_path) == before
    write_manifest(tmp_path, licence="MIT")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["files"] == {"b/x": tree_digests(tmp_path)["b/x"]}
    (tmp_path / "b" / "x").write_text("y")
    assert tree_digests(tmp_path)["b/x"] != manifest["files"]["b/x"]
