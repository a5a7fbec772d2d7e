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

from helpers.project import ROOT
from helpers.rules import all_rules
from prh.features.adapters import ADAPTERS, HUB
from prh.sources.registry import CORPORA, DATASETS

LIBRARY = ROOT / "scripts" / "prh"
ENVIRONMENTS = sorted(path.stem for path in (ROOT / "envs").glob("*.yaml"))
# Packages whose name in conda-forge is not their import's, and those whose name on PyPI is not conda-forge's.
CONDA_NAMES = {
    "torch": "pytorch",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "IPython": "ipython",
    "resvg_py": "resvg-py",
    "matplotlib": "matplotlib-base",
    "seaborn": "seaborn-base",
    "umap": "umap-learn",
}
# Environments whose versions are those of requirements-paper.txt.
PAPER = {"timm", "downstream", "map"}
PYPI_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib", "seaborn-base": "seaborn"}
# Needed without being imported by our code.
PARQUET = {"read_parquet": "pyarrow", "to_parquet": "pyarrow"}
UNSEEN = {
    "fetch": {"pip"},  # run as a program
    # transformers reads GGUF weights with the first one, sentencepiece's tokenizers with the others
    "language": {"accelerate", "sentencepiece", "protobuf"},
    "downstream": {"accelerate", "sentencepiece", "protobuf"},
    # the same tokenizers; transformers imports psutil where there is one: it would be Snakemake's
    "audit": {"sentencepiece", "protobuf", "psutil"},
    "mds": {"psutil"},  # scikit-learn's joblib imports it where there is one, too
    "map": {"psutil"},
    "timm": {"torchvision"},  # timm imports it
    "notebook": {"ipykernel"},  # runs the notebook
}
# Imported where it is there, and done without where it is not.
OPTIONAL = {"audit": {"timm"}}


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
                self.sources |= {x.asname or x.name: _source(node.module, x.name) for x in node.names}


def _source(module, name):
    """What a name imported from a module is: (module, its name there), of a module itself without one."""
    inner = LIBRARY.parent.joinpath(*module.split("."), name)
    return (
        (f"{module}.{name}", None) if inner.is_dir() or inner.with_suffix(".py").is_file() else (module, name)
    )


@cache
def module(name):
    """A module of the library, by its name as it is imported."""
    path = LIBRARY.parent.joinpath(*name.split("."))
    return Module(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))


def imports_of(script, modules=()):
    """Names of all that a script imports from outside the library and Python's own, and `parquet` calls' needs.

    modules: of the library, of which it uses all as well; MODULE:FUNCTION, of which it uses that.
    """
    found, seen, todo = set(), set(), []

    def visit(holder, nodes):
        for node in (inner for statement in nodes for inner in ast.walk(statement)):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                top = node.module.split(".")[0]
                if top == "prh":
                    todo.append((node.module, None))
                    inner = [_source(node.module, alias.name) for alias in node.names]
                    todo.extend(source for source in inner if source[1] is None)
                else:
                    found.add(top)
            elif isinstance(node, ast.Attribute):
                if node.attr in PARQUET:
                    found.add(PARQUET[node.attr])
                owner = holder.sources.get(node.value.id) if isinstance(node.value, ast.Name) else None
                if owner and owner[1] is None:  # a module of the library, of which this is used
                    todo.append((owner[0], node.attr))
            elif isinstance(node, ast.Name):
                if node.id in holder.sources:
                    todo.append(holder.sources[node.id])
                elif node.id in holder.definitions:
                    todo.append((holder, node.id))

    start = Module(script)
    visit(start, [*start.top, *start.definitions.values()])
    for name in modules:
        whole, _, function = name.partition(":")
        todo += [(whole, None)] + [
            (whole, each) for each in ([function] if function else module(whole).definitions)
        ]
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
    """What the notebook's cells import, from outside the library."""
    cells = json.loads((ROOT / "notebooks" / "story.ipynb").read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    nodes = list(ast.walk(ast.parse(code)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names} - {LIBRARY.name} - set(sys.stdlib_module_names)


def loaded_at_run_time(script, environment):
    """Library modules that a script loads by the table's row: those of the kinds that run in its environment."""
    adapters = ADAPTERS.values()
    modules = {f"prh.features.{kind.module}" for kind in adapters if kind.environment == environment}
    makers = {f"prh.features.{k.module}" for k in adapters if k.environment == environment and k.packaged}
    return {
        "fetch_dataset": set(DATASETS.values()),
        "fetch_corpus": set(CORPORA.values()),
        "fetch_model": makers | ({HUB} if environment == "language" else set()),
        "extract_features": modules,
        "make_story": {"prh.report.story"},  # by the notebook
        "audit": {f"prh.features.{kind.module}:load" for kind in adapters if kind.sample == "pixels"},
    }.get(script, set())


def needs(script, environment):
    """Names in conda-forge of what a script imports there."""
    names = imports_of(ROOT / "scripts" / f"{script}.py", loaded_at_run_time(script, environment))
    names |= notebook_imports() if script == "make_story" else set()
    return {CONDA_NAMES.get(name, name) for name in names} - OPTIONAL.get(script, set())


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
    named = {rule.environment for rule in all_rules().values() if rule.script}
    assert named == set(ENVIRONMENTS)


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
    scripts = {rule.name: rule.script for rule in all_rules().values() if rule.environment == environment}
    held = dependencies(environment).keys() - {"python"} - UNSEEN.get(environment, set())
    needed = {rule: needs(script, environment) for rule, script in scripts.items()}
    for rule, names in needed.items():
        assert names - held == set(), f"rule {rule} imports what envs/{environment}.yaml lacks"
    unused = held - set().union(*needed.values())
    assert unused == set(), f"envs/{environment}.yaml holds what none of its rules imports"


def test_the_rules_import_only_what_snakemake_brings(tmp_path):
    """They are read by Snakemake, whose environment has nothing else."""
    texts = [path.read_text() for path in sorted((ROOT / "rules").glob("*.smk"))]
    lines = [line for text in texts for line in re.findall(r"^from prh.*", text, re.MULTILINE)]
    assert len(lines) > 3
    (tmp_path / "rules.py").write_text("\n".join([*lines, "loading.load"]))
    assert imports_of(tmp_path / "rules.py") <= {"jsonschema", "yaml"}


def test_what_must_be_apart_is_apart():
    assert "pytorch" not in dependencies("tables") | dependencies("figures") | dependencies("notebook")
    assert "matplotlib-base" not in dependencies("alignment") | dependencies("language") | dependencies(
        "vision"
    )


def test_imports_inside_functions_count_where_the_function_is_used(tmp_path):
    """The check can fail: of two functions of prh.job and prh.sources.openmoji, only what a script uses is counted."""
    script = tmp_path / "script.py"
    script.write_text("from prh.job import progress\n")
    assert imports_of(script) == {"tqdm"}
    script.write_text("from prh.job import use_threads\n\nuse_threads(1)\n")
    assert imports_of(script) == {"tqdm", "torch"}
    script.write_text("from prh.sources.openmoji import render\n\nrender('', 1)\n")
    assert imports_of(script) == {"tqdm", "numpy", "pandas", "PIL", "resvg_py"}


def test_no_local_pin_file_is_tracked():
    for path in (ROOT / "envs").glob("*.pin.txt"):
        addresses = [line for line in path.read_text().splitlines() if line and line[0] not in "#@"]
        assert all(line.startswith("https://conda.anaconda.org/conda-forge/") for line in addresses), path
