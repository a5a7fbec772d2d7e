"""A run is packed for others, is what it says, and others can start from it."""

import json
import shutil
import subprocess
import sys
import zipfile

import pytest

from helpers.document import run_examples
from helpers.project import ROOT, snakemake
from prh.audit import audit, findings
from prh.audit.crate import export
from prh.sources.wheels import fetch_wheel

# Runs in an environment of its own, tests/validator.txt: prints the names of the checks that a crate does not pass. What
# the validator would fetch from the web, it finds in its cache.
VALIDATE = """
import sys
from requests_cache import CachedRequest, CachedResponse, CachedSession
from rocrate_validator.models import ValidationSettings
from rocrate_validator.services import validate

folder, crate, profile, severity = sys.argv[1:]
address = "https://w3id.org/ro/crate/1.1/context"
with CachedSession(f"{folder}/cache", backend="sqlite") as session, open(f"{folder}/context.json", "rb") as text:
    key = session.cache.create_key(CachedRequest(method="GET", url=address))
    facts = {"status_code": 200, "headers": {"Content-Type": "application/ld+json"}, "url": address}
    session.cache.responses[key] = CachedResponse(content=text.read(), **facts)
asked = {"profile_identifier": profile, "requirement_severity": severity}
result = validate(ValidationSettings(crate, **asked, cache_path=f"{folder}/cache", offline=True))
found = {issue.check.identifier for issue in result.get_issues()}
assert result.passed() == (not found)
print(*sorted(found), sep="\\n")
"""
# The JSON-LD context of RO-Crate 1.1 is in this wheel.
WHEEL = ("rocrate", "0.13.0", "268e00d2ffe589507fbb65c75458a09834b563fad295cbf6e53b6f3d031f3443")
PROFILES = ["ro-crate-1.1", "process-run-crate-0.5", "workflow-ro-crate-1.0", "workflow-run-crate-0.5"]
# What is recommended and not done: the workflow knows neither who runs it nor where it will be published.
UNKNOWN = {
    "ro-crate-1.1_22.2": "author of the crate",
    "ro-crate-1.1_22.3": "publisher",
    "process-run-crate-0.5_3.2": "url of the workflow",
    "process-run-crate-0.5_8.6": "agent of the run",
    # The validator applies it to two classes of its own ontology, and to nothing of the crate.
    "process-run-crate-0.5_5.1": "address of the classes SoftwareSourceCode and ComputationalWorkflow",
}


@pytest.fixture(scope="module")
def crates(small, tmp_path_factory):
    """The crate of the small run as Snakemake packs it, unpacked; and a large one."""
    done = snakemake(small, "--cores", "2", "crate")
    assert done.returncode == 0, done.stderr[-3000:]
    folder = tmp_path_factory.mktemp("crates")
    export(small, ROOT, {"a": 1}, folder / "large.zip", "large", large=True)
    for name, path in (("small", small / "results/crate.zip"), ("large", folder / "large.zip")):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / name)
    yield folder
    (small / "results/crate.zip").unlink()
    (small / "results/records/results/crate.zip.json").unlink()


def test_it_says_what_ran(small, crates):
    run_examples(["results/crate.zip"], small)
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


@pytest.fixture(scope="module")
def issues(tmp_path_factory):
    """What the validator of the field, rocrate-validator, finds wrong with a crate's folder: names of its checks."""
    folder = tmp_path_factory.mktemp("validator")
    fetch_wheel(*WHEEL, folder / "rocrate.whl")
    text = zipfile.ZipFile(folder / "rocrate.whl").read("rocrate/data/ro-crate.jsonld")
    (folder / "context.json").write_bytes(text)
    python = folder / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", ROOT / "tests/validator.txt"], check=True)

    def run(crate, profile, severity="REQUIRED"):
        command = [python, "-c", VALIDATE, folder, crate, profile, severity]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return {*done.stdout.split()}

    return run


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_a_validator_accepts_it(crates, issues, profile):
    """All that is required, and what is recommended as well but for what nobody has said."""
    assert issues(crates / "small", profile, "RECOMMENDED") <= UNKNOWN.keys()


@pytest.mark.slow
def test_a_validator_accepts_the_large_one(crates, issues):
    assert issues(crates / "large", PROFILES[-1]) == set()


def damaged(crates, folder, change):
    """A copy of the small crate whose entities, by id, were changed."""
    shutil.copytree(crates / "small", folder)
    path = folder / "ro-crate-metadata.json"
    metadata = json.loads(path.read_text())
    change({entity["@id"]: entity for entity in metadata["@graph"]})
    path.write_text(json.dumps(metadata))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "change"),
    [
        ("ro-crate-1.1", lambda entities: entities["./"].pop("license")),
        ("ro-crate-1.1", lambda entities: entities["./"].pop("datePublished")),
        ("process-run-crate-0.5", lambda entities: entities["#run"].pop("instrument")),
        ("workflow-ro-crate-1.0", lambda entities: entities["./"].pop("mainEntity")),
        ("workflow-run-crate-0.5", lambda entities: entities["./"].pop("conformsTo")),
    ],
)
def test_what_is_required_and_missing_is_refused(crates, issues, tmp_path, profile, change):
    assert issues(damaged(crates, tmp_path / "crate", change), profile)


@pytest.mark.slow
def test_a_file_that_is_missing_is_refused(crates, issues, tmp_path):
    folder = damaged(crates, tmp_path / "crate", lambda entities: None)
    (folder / "results/tables/alignment.csv").unlink()
    assert issues(folder, "ro-crate-1.1")


def test_it_holds_the_run_and_is_small(crates):
    held = {path.relative_to(crates / "small").as_posix() for path in (crates / "small").rglob("*")}
    assert held >= {"Snakefile", "LICENSE", "LICENCES.md", "README.md", "config/run.json", "envs/audit.yaml"}
    assert held >= {"figures/alignment_vs_performance.pdf", "results/tables/performance.csv"}
    assert "results/records/results/features/pictures/minilm-l6.safetensors.json" in held
    assert not {"results/features", "results/data", "results/models"} & held
    large = {path.relative_to(crates / "large").as_posix() for path in (crates / "large").rglob("*")}
    assert large - held >= {"results/features", "results/data/pictures/captions.parquet", "results/neighbors"}
    assert not {"results/models", "results/packages"} & large


def test_its_files_pass_the_audit(crates):
    found = audit.audit(crates / "small", samples=0)
    assert [
        (f.artifact, f.reason) for f in findings.failures(found, partial=True) if "crate" not in f.artifact
    ] == []


@pytest.mark.slow
def test_a_run_starts_from_it(small, crates, tmp_path):
    """Features and data come from the crate: no model is fetched, and the tables are the same."""
    for name in ("config.yaml", "datasets.tsv", "corpora.tsv"):
        shutil.copy(small / name, tmp_path / name)
    command = [
        sys.executable,
        str(ROOT / "scripts" / "share.py"),
        "import",
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
