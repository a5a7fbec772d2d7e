"""A run to send to others: its RO-Crate.

The crate is a ZIP file that follows the Workflow Run profile (https://w3id.org/ro/wfrun/workflow/0.5): the workflow itself,
the configuration, tables, tiles and nulls, figures, all records and licences; data, features and neighbours on request. Unpacked, it
is a folder that the audit takes. How a run starts from it: `prh.share.imports`.
"""

import re
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from prh.errors import InputError
from prh.provenance import RECORDS, json_text, read_record
from prh.share.licences import in_markdown, licences_of

PROFILES = {  # that the crate follows: the run's, and those that they build on
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
WORKFLOW_PROFILE = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
# The one term that the run's profiles add to RO-Crate's own and that is used here.
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
CODE = (  # of the workflow, beside the Snakefile
    *("rules", "scripts", "envs", "notebooks", "report", "config", "docs"),
    *("LICENSE", "CITATION.cff", "requirements.txt"),
)
# Scores of models, of pairs of their layers (tiles, and what chance gives), and what was made of them; and what those are made from.
SMALL = (
    *("figures", "results/tables", "results/alignment", "results/calibration", "results/colour"),
    *("results/performance", "results/captions", "results/downstream"),
)
LARGE = ("results/data", "results/features", "results/neighbors")
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every member of the ZIP file: the same content gives the same bytes
FORMATS = {
    ".csv": "text/csv",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".safetensors": "application/octet-stream",
    ".tsv": "text/tab-separated-values",
    ".yaml": "application/yaml",
}  # of other files: plain text


def export(folder, workflow, config, path, title, large=False):
    """Write the crate of the run in `folder` to the ZIP file `path`.

    Parameters
    ----------
    workflow: the workflow's own folder. config: the run's configuration, as a mapping.
    title: of the crate. large: with data, features and neighbours.

    Raises
    ------
    InputError: the run has no records.

    """
    from rocrate.rocrate import ROCrate

    folder, workflow = Path(folder), Path(workflow)
    records = {path: read_record(path) for path in sorted((folder / RECORDS).rglob("*.json"))}
    if not records:
        raise InputError(f"{folder}: has no records; run the workflow first")
    started = sorted(record["run"]["started"] for record in records.values())
    crate = ROCrate(gen_preview=False, version="1.1")  # which the profiles build on
    crate.metadata.extra_terms |= TERMS
    crate.name, crate.datePublished = title, started[-1][:10]
    crate.description = "A run of a workflow that reproduces the Platonic Representation Hypothesis"
    crate.license = _work(crate, "https://spdx.org/licenses/MIT", "MIT licence")
    crate.root_dataset["conformsTo"] = [_work(crate, *profile) for profile in PROFILES.items()]
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        main = _add_code(crate, workflow)
        (scratch / "run.json").write_text(json_text(config), encoding="utf-8")
        (scratch / "LICENCES.md").write_text(licences(folder), encoding="utf-8")
        settings = _add(crate, scratch / "run.json", "config/run.json", name="the configuration of the run")
        _add(crate, scratch / "LICENCES.md", "LICENCES.md", name="licences of what the run took from outside")
        results = []
        for place, record in records.items():
            _add(crate, place, place.relative_to(folder).as_posix())
            for name, facts in record["outputs"].items():
                if _of(name, SMALL + LARGE * large) and (folder / name).exists():
                    results.append(_add_result(crate, folder / name, name, facts))
        action = {
            "name": title,
            "description": f"{len(records)} jobs of the workflow, each with its record in {RECORDS}",
            "startTime": started[0],
            "endTime": started[-1],
            "actionStatus": "http://schema.org/CompletedActionStatus",
            "instrument": main,
            "object": settings,
            "result": results,
        }
        crate.root_dataset["mentions"] = _entity(crate, "#run", "CreateAction", action)
        crate.write(scratch / "crate")
        _zip(scratch / "crate", path)


def _of(name, folders):
    return any(name.startswith(f"{folder}/") for folder in folders)


def _entity(crate, identifier, type, properties):
    """Add something that is no file; its properties may be other entities."""
    from rocrate.model.contextentity import ContextEntity

    entity = crate.add(ContextEntity(crate, identifier, properties={"@type": type}))
    for key, value in properties.items():
        entity[key] = value
    return entity


def _work(crate, identifier, name):
    """Add a licence or profile that is known by its address."""
    properties = {"name": name}
    if version := re.search(r"/([\d.]+)$", identifier):
        properties["version"] = version[1]
    return _entity(crate, identifier, "CreativeWork", properties)


def _add(crate, source, place, **properties):
    """Add a file, with its format."""
    properties["encodingFormat"] = FORMATS.get(PurePosixPath(place).suffix, "text/plain")
    return crate.add_file(source, place, properties=properties)


def _add_code(crate, workflow):
    """Add the workflow: its README, code, environments and tables. Returns the Snakefile's entity."""
    main = crate.add_workflow(workflow / "Snakefile", "Snakefile", main=True, lang="snakemake", gen_cwl=False)
    main["name"] = "The Platonic Representation Hypothesis, reproduced"
    main["encodingFormat"] = "text/plain"
    main["version"] = re.search(r"^version: (\S+)$", (workflow / "CITATION.cff").read_text(), re.M)[1]
    main["conformsTo"] = _work(crate, WORKFLOW_PROFILE, "Bioschemas ComputationalWorkflow")
    _add(crate, workflow / "README.md", "README.md")["about"] = crate.root_dataset
    for name in CODE:
        for source in _files(workflow / name):
            place = source.relative_to(workflow).as_posix()
            if place != "config/run.json":
                _add(crate, source, place)
    return main


def _add_result(crate, source, name, facts):
    """Add an artifact, with the digest that its record has."""
    if source.is_dir():
        return crate.add_dataset(source, name, properties={"sha256": facts["sha256"], "name": name})
    return _add(crate, source, name, sha256=facts["sha256"], contentSize=str(facts["bytes"]))


def _files(path):
    """The files below a folder of the workflow, compiled ones left out; a file itself."""
    if path.is_file():
        return [path]
    return sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def _zip(folder, path):
    """Pack a folder; the same files give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for source in sorted(p for p in folder.rglob("*") if p.is_file()):
            member = zipfile.ZipInfo(source.relative_to(folder).as_posix(), EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            with source.open("rb") as data, archive.open(member, "w", force_zip64=True) as target:
                shutil.copyfileobj(data, target)


def licences(folder):
    """A Markdown table of what was taken from outside and under which licence."""
    return "\n".join(
        ["# Licences of what the run took from outside", "", *in_markdown(licences_of(folder)), ""]
    )
