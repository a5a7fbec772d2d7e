"""The library's imports go one way, from what all stages use up to the audit; it imports no script and not Snakemake."""

import ast
import re

import pytest

import prh
from helpers.project import ROOT

LIBRARY = ROOT / "scripts" / "prh"
# From below to above, as the map in prh/__init__.py has them: each may import itself and what stands before it.
ORDER = [
    *("errors", "provenance", "times", "kept", "forecast", "progress", "job"),
    *(
        "sources",
        "features",
        "tables",
        "alignment",
        "performance",
        "figures",
        "report",
        "share",
        "audit",
        "configuration",
        "command",
    ),
]
FOREIGN = {"snakemake", "scripts", *(path.stem for path in (ROOT / "scripts").glob("*.py"))}


def stage(name):
    """The stage of a library module, by its full name."""
    return name.split(".")[1]


def imports(path):
    """Full names of the modules that a source file imports, anywhere in it, by name or by text."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found += [f"prh.{alias.name}" for alias in node.names] if node.module == "prh" else [node.module]
        elif isinstance(node, ast.Constant) and re.fullmatch(r"prh(\.\w+)+", str(node.value)):
            found.append(node.value)  # of a registry
    return found


def wrong(library):
    """Arrows that go down, to a script or to Snakemake, as (file, module)."""
    bad = []
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library.parent).with_suffix("").parts
        if parts == ("prh", "__init__"):
            continue
        for name in imports(path):
            top = name.split(".")[0]
            above = top == "prh" and ORDER.index(stage(name)) > ORDER.index(parts[1])
            if above or top in FOREIGN:
                bad.append((path.relative_to(library).as_posix(), name))
    return bad


def test_imports_go_one_way():
    assert wrong(LIBRARY) == []


def test_the_workflow_imports_modules_and_not_what_the_package_offers_to_others():
    """The code's digest does not follow prh.PUBLIC."""
    used = {name for path in (ROOT / "scripts").rglob("*.py") for name in imports(path)}
    assert used.isdisjoint({f"prh.{name}" for name in prh.PUBLIC})
    assert "prh.tables" in used


def test_every_module_has_its_place():
    assert {path.stem for path in LIBRARY.iterdir() if path.name[0] != "_"} == set(ORDER)


def test_the_map_names_every_stage_in_order():
    text = (LIBRARY / "__init__.py").read_text()
    named = [name for line in re.findall(r"^([a-z, ]+):", text, re.MULTILINE) for name in line.split(", ")]
    assert named == ORDER


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("alignment/metrics.py", "from prh.audit import definitions"),
        ("sources/hub.py", "from prh.features.layers import read_features"),
        ("errors.py", "import prh.job"),
        ("figures/style.py", "from prh import report"),
        ("features/adapters.py", "MODULE = 'prh.alignment.metrics'"),
        ("report/page.py", "def late():\n    import snakemake"),
        ("tables.py", "import measure_alignment"),
    ],
)
def test_a_planted_wrong_import_is_found(tmp_path, file, line):
    path = tmp_path / "prh" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((LIBRARY / file).read_text() + f"\n{line}\n")
    assert [found for found, _ in wrong(tmp_path / "prh")] == [file]
