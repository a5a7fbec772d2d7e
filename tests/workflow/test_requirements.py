"""The pinned requirements are exact, complete, and in step with what the code imports."""

import ast
import json
import re
import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers.project import ROOT

# Listed for what they do, not for being imported: tools, and what other packages need at run time.
TOOLS = {"snakemake", "pip", "ruff", "snakefmt", "ipykernel", "gguf", "accelerate", "protobuf", "pyarrow"}
TOOLS |= {"codespell", "snakemake-executor-plugin-slurm"}
OWN = {"prh", "helpers", "faults", *(path.stem for path in (ROOT / "tests").rglob("*.py"))}
# In an environment of its own, requirements-paper.txt: torch there is another one than here.
PAPER = "requirements-paper.in"
PAPER_TOOLS = {"torch", "torchvision", "pytest"}


def lines(name):
    text = (ROOT / name).read_text()
    return [line.split("#")[0].strip() for line in text.splitlines() if line.split("#")[0].strip()]


def direct(*names):
    return {
        canonicalize_name(Requirement(x).name)
        for name in names
        for x in lines(name)
        if not x.startswith("-r")
    }


def pinned(*names):
    found = [Requirement(line) for name in names for line in lines(name) if not line.startswith("-r")]
    return {canonicalize_name(r.name): r for r in found}


def imports(text):
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.importorskip":
            names.add(node.args[0].value.split(".")[0])
    return names - set(sys.stdlib_module_names) - OWN


def code(*folders):
    texts = [path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return set().union(*(imports(text) for text in texts))


def notebooks():
    cells = [c for p in (ROOT / "notebooks").glob("*.ipynb") for c in json.loads(p.read_text())["cells"]]
    return set().union(*(imports("".join(c["source"])) for c in cells if c["cell_type"] == "code"))


def distributions(modules):
    known = {"umap": ["umap-learn"], **metadata.packages_distributions()}  # which is not installed here
    return {canonicalize_name(known.get(module, [module])[0]) for module in modules}


def test_every_import_of_the_workflow_is_listed():
    assert distributions(code("scripts") | notebooks()) <= direct("requirements.in", PAPER)


def test_every_import_of_the_tests_is_listed():
    listed = direct("requirements.in", "requirements-test.in", PAPER)
    assert (
        distributions(code("tests", "benchmarks")) - {"faiss"} <= listed
    )  # a benchmark's peer, where it is installed


def test_nothing_is_listed_that_nothing_uses():
    used = distributions(code("scripts", "tests", "benchmarks") | notebooks()) | TOOLS
    assert direct("requirements.in", "requirements-test.in") <= used
    assert direct(PAPER) <= used | PAPER_TOOLS


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt", "requirements-paper.txt"])
def test_pins_are_exact(name):
    for line in lines(name):
        assert line == "-r requirements.txt" or re.fullmatch(r"[A-Za-z0-9._-]+==[^\s;+]+", line), line


@pytest.mark.parametrize("name", ["requirements", "requirements-test"])
def test_pins_hold_what_is_listed_and_all_that_it_needs(name):
    """Follow the installed packages' own requirements from the listed ones: each must be pinned, at what is installed."""
    pins = pinned("requirements.txt", f"{name}.txt")
    todo, seen = sorted(direct("requirements.in", f"{name}.in")), set()
    while todo:
        package = todo.pop()
        if package in seen:
            continue
        seen.add(package)
        assert package in pins, f"{package} is needed but not pinned in {name}.txt; run `make pins`"
        installed = metadata.version(package).split("+")[0]
        assert pins[package].specifier.contains(installed, prereleases=True), (
            f"{package} {installed} is installed"
        )
        for need in metadata.requires(package) or []:
            need = Requirement(need)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                todo.append(canonicalize_name(need.name))
