"""Static checks of envs/: each environment holds what its rules import, all of it and nothing else.

What a rule imports is found by `ast`: its script, then through the library. An import at the top of a module counts for
everyone who imports the module; one inside a function or class counts only where that function is used, by name.
"""

import ast
import json
import re
import sys
from functools import cache

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conftest import ROOT

LIBRARY = ROOT / "scripts" / "prh"
ENVIRONMENTS = sorted(path.stem for path in (ROOT / "envs").glob("*.yaml"))
# Packages whose name in conda-forge is not their import's, and those whose name on PyPI is not conda-forge's.
CONDA_NAMES = {
    "torch": "pytorch",
    "PIL": "pillow",
    "IPython": "ipython",
    "resvg_py": "resvg-py",
    "matplotlib": "matplotlib-base",
    "seaborn": "seaborn-base",
}
# Environments whose versions are those of requirements-paper.txt.
PAPER = {"timm", "downstream"}
PYPI_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib", "seaborn-base": "seaborn"}
# Needed without being imported by our code.
PARQUET = {"read_parquet": "pyarrow", "to_parquet": "pyarrow"}
UNSEEN = {
    "fetch": {"pip"},  # run as a program
    # transformers reads GGUF weights with the first two, sentencepiece's tokenizers with the others
    "language": {"gguf", "accelerate", "sentencepiece", "protobuf"},
    "downstream": {"accelerate", "sentencepiece", "protobuf"},
    # the same tokenizers; transformers imports psutil where there is one: it would be Snakemake's
    "audit": {"sentencepiece", "protobuf", "psutil"},
    "timm": {"torchvision"},  # timm imports it
    "notebook": {"ipykernel"},  # runs the notebook
}


class Module:
    """A source file: what it imports when it is imported, and what each of its definitions uses."""

    def __init__(self, path):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        self.sources = {}  # name -> (module, name there), of names imported from the library
        self.definitions = {}  # name -> top-level statements that define it
        self.top = [x for x in tree.body if not isinstance(x, ast.FunctionDef | ast.ClassDef)]
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.definitions[node.name] = node
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "prh":
                self.sources |= {x.asname or x.name: (node.module, x.name) for x in node.names}


@cache
def module(name):
    """A module of the library, by its name as it is imported."""
    return Module(LIBRARY / f"{name.removeprefix('prh.')}.py")


def imports_of(script):
    """Names of all that a script imports from outside the library and Python's own, and `parquet` calls' needs."""
    found, seen, todo = set(), set(), []

    def visit(holder, nodes):
        for node in (inner for statement in nodes for inner in ast.walk(statement)):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                top = node.module.split(".")[0]
                if top == "prh":
                    todo.append((node.module, None))
                else:
                    found.add(top)
            elif isinstance(node, ast.Attribute) and node.attr in PARQUET:
                found.add(PARQUET[node.attr])
            elif isinstance(node, ast.Name):
                if node.id in holder.sources:
                    todo.append(holder.sources[node.id])
                elif node.id in holder.definitions:
                    todo.append((holder, node.id))

    start = Module(script)
    visit(start, [*start.top, *start.definitions.values()])
    while todo:
        where, name = todo.pop()
        holder = module(where) if isinstance(where, str) else where
        if (holder, name) in seen:
            continue
        seen.add((holder, name))
        if name is None:
            visit(holder, holder.top)
        elif name in holder.definitions:
            visit(holder, [holder.definitions[name]])
    return found - set(sys.stdlib_module_names)


def notebook_imports():
    """What the notebook's cells import."""
    cells = json.loads((ROOT / "notebooks" / "report.ipynb").read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    nodes = list(ast.walk(ast.parse(code)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)


def rules():
    """Of each rule with a script: its script and its environment."""
    found = {}
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for text in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            script = re.search(r'^        "\.\./scripts/(\w+)\.py"', text, re.MULTILINE)
            named = re.search(r'^    conda:\n        "\.\./envs/([\w-]+)\.yaml"', text, re.MULTILINE)
            if script:
                found[text.split(":")[0]] = (script[1], named and named[1])
    return found


def needs(script):
    """Names in conda-forge of what a script imports."""
    names = imports_of(ROOT / "scripts" / f"{script}.py")
    names |= notebook_imports() if script == "run_notebook" else set()
    return {CONDA_NAMES.get(name, name) for name in names}


def dependencies(environment):
    """Name -> version range of an environment's lines."""
    spec = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())
    return dict(line.split(" ", 1) for line in spec["dependencies"])


def pins(environment):
    """Name -> version of requirements.txt, or of that for the paper's scale."""
    name = "requirements-paper.txt" if environment in PAPER else "requirements.txt"
    lines = (ROOT / name).read_text().split()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def test_every_rule_names_an_environment_and_every_environment_a_rule():
    assert {environment for _, environment in rules().values()} == set(ENVIRONMENTS)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_is_well_formed(environment):
    spec = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())
    assert spec.keys() == {"channels", "dependencies"}
    assert spec["channels"] == ["conda-forge", "nodefaults"]
    python, *others = spec["dependencies"]  # a `pip:` section would be no text
    assert python == "python =3.11"
    for line in others:
        assert re.fullmatch(r"[a-z0-9_-]+ (=\d+\.\d+\.\d+|>=[\d.]+,<[\d.]+)", line), line
    assert others == sorted(others)


def test_environments_agree_on_versions():
    ranges = {}
    for environment in ENVIRONMENTS:
        for name, bounds in dependencies(environment).items():
            assert ranges.setdefault(name, bounds) == bounds, f"{environment}: {name}"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_admits_what_requirements_pin(environment):
    for name, bounds in dependencies(environment).items():
        if name == "python":
            continue
        need = Requirement(PYPI_NAMES.get(name, name) + re.sub(r"^=", "==", bounds))
        assert need.specifier.contains(pins(environment)[canonicalize_name(need.name)]), name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_holds_what_its_rules_import_and_nothing_else(environment):
    scripts = {rule: script for rule, (script, named) in rules().items() if named == environment}
    held = dependencies(environment).keys() - {"python"} - UNSEEN.get(environment, set())
    for rule, script in scripts.items():
        assert needs(script) - held == set(), f"rule {rule} imports what envs/{environment}.yaml lacks"
    unused = held - set().union(*map(needs, scripts.values()))
    assert unused == set(), f"envs/{environment}.yaml holds what none of its rules imports"


def test_the_rules_import_only_what_snakemake_brings(tmp_path):
    """They are read by Snakemake, whose environment has nothing else."""
    texts = [path.read_text() for path in sorted((ROOT / "rules").glob("*.smk"))]
    lines = [line for text in texts for line in re.findall(r"^from prh.*", text, re.MULTILINE)]
    assert len(lines) > 3
    script = re.sub(
        r"^from prh import (\w+)$", r"from prh.\1 import load", "\n".join(lines), flags=re.MULTILINE
    )
    (tmp_path / "rules.py").write_text(script)
    assert imports_of(tmp_path / "rules.py") <= {"jsonschema", "yaml"}


def test_what_must_be_apart_is_apart():
    assert "pytorch" not in dependencies("statistics") | dependencies("figures") | dependencies("notebook")
    assert "matplotlib-base" not in dependencies("alignment") | dependencies("language") | dependencies(
        "vision"
    )


def test_imports_inside_functions_count_where_the_function_is_used(tmp_path):
    """The check can fail: of two functions of prh.job and prh.datasets, only what a script uses is counted."""
    script = tmp_path / "script.py"
    script.write_text("from prh.job import progress\n")
    assert imports_of(script) == {"tqdm"}
    script.write_text("from prh.job import use_threads\n\nuse_threads(1)\n")
    assert imports_of(script) == {"tqdm", "torch"}
    script.write_text("from prh.datasets import render\n\nrender('', 1)\n")
    assert imports_of(script) == {"tqdm", "numpy", "pandas", "PIL", "resvg_py"}


def test_no_local_pin_file_is_tracked():
    for path in (ROOT / "envs").glob("*.pin.txt"):
        addresses = [line for line in path.read_text().splitlines() if line and line[0] not in "#@"]
        assert all(line.startswith("https://conda.anaconda.org/conda-forge/") for line in addresses), path
