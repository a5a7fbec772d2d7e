"""A run is packed for others, is what it says, and others can start from it."""

import json
import shutil
import subprocess
import sys
import zipfile

import pytest

from conftest import ROOT, snakemake
from prh import audit, exchange


@pytest.fixture(scope="module")
def crates(small, tmp_path_factory):
    """The crate of the small run as Snakemake packs it, unpacked; and a large one."""
    done = snakemake(small, "--cores", "2", "crate")
    assert done.returncode == 0, done.stderr[-3000:]
    folder = tmp_path_factory.mktemp("crates")
    exchange.export(small, ROOT, {"a": 1}, folder / "large.zip", "large", large=True)
    for name, path in (("small", small / "results/crate.zip"), ("large", folder / "large.zip")):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / name)
    yield folder
    (small / "results/crate.zip").unlink()
    (small / "results/records/results/crate.zip.json").unlink()


def test_it_says_what_ran(crates):
    graph = json.loads((crates / "small/ro-crate-metadata.json").read_text())["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    root = entities["./"]
    assert {"@id": "https://w3id.org/ro/wfrun/workflow/0.5"} in root["conformsTo"]
    assert root["mainEntity"] == {"@id": "Snakefile"}
    assert "ComputationalWorkflow" in entities["Snakefile"]["@type"]
    (run,) = [entity for entity in graph if entity["@type"] == "CreateAction"]
    assert run["instrument"] == {"@id": "Snakefile"}
    results = {entity["@id"] for entity in run["result"]}
    assert {"results/tables/alignment.csv", "figures/alignment_matrix.pdf"} <= results
    assert not any(name.startswith("results/features") for name in results)
    for name in results:
        assert (crates / "small" / name).is_file()
        assert len(entities[name]["sha256"]) == 64
    assert "CC-BY-SA-4.0" in (crates / "small/LICENCES.md").read_text()


def test_its_files_pass_the_audit(crates):
    found = audit.audit(crates / "small", samples=0)
    assert [
        (f.artifact, f.reason) for f in audit.failures(found, partial=True) if "crate" not in f.artifact
    ] == []


@pytest.mark.slow
def test_a_run_starts_from_it(small, crates, tmp_path):
    """Features and data come from the crate: no model is fetched, and the tables are the same."""
    for name in ("config.yaml", "datasets.tsv", "corpora.tsv"):
        shutil.copy(small / name, tmp_path / name)
    command = [
        sys.executable,
        str(ROOT / "scripts" / "exchange.py"),
        str(crates / "large.zip"),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "digests checked" in done.stdout
    done = snakemake(tmp_path, "--cores", "2", "tables")
    assert done.returncode == 0, done.stderr[-3000:]
    assert not (tmp_path / "results/models").exists()
    assert not (tmp_path / "results/packages").exists()
    for name in ("alignment", "performance", "correlation"):
        table = f"results/tables/{name}.csv"
        assert (tmp_path / table).read_bytes() == (small / table).read_bytes()
