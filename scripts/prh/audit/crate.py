"""A run to send to others, and one that others sent: the RO-Crate of a run, and how a run starts from it.

The crate is a ZIP file that follows the Workflow Run profile (https://w3id.org/ro/wfrun/workflow/0.5): the workflow itself,
the configuration, tables, figures, all records and licences; data, features and neighbours on request. Unpacked, it is a
folder that the audit takes.
"""

import re
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from prh.errors import InputError
from prh.provenance import RECORDS, digest, json_text, read_record

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
SMALL = ("figures", "results/tables", "results/performance", "results/captions", "results/downstream")
LARGE = ("results/data", "results/features", "results/neighbors")
# What a run can start from, in the order of their making.
STARTS = ("data", "features", "neighbors", "performance", "captions", "downstream")
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
        (scratch / "LICENCES.md").write_text(licences(records.values()), encoding="utf-8")
        settings = _add(crate, scratch / "run.json", "config/run.json", name="the configuration of the run")
        _add(crate, scratch / "LICENCES.md", "LICENCES.md", name="licences of what the run fetched")
        results = []
        for place, record in records.items():
            _add(crate, place, place.relative_to(folder).as_posix())
            for name, facts in record["outputs"].items():
                if name.startswith(SMALL + LARGE * large) and (folder / name).exists():
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


def licences(records):
    """A Markdown table of what was fetched and under which licence, from the records."""
    rows = set()
    for record in records:
        found = record["parameters"].get("row") or record["parameters"].get("package") or {}
        if found.get("licence"):
            rows.add((found.get("content") or found.get("name") or "", found["licence"]))
    lines = [f"| {what} | {licence} |" for what, licence in sorted(rows)]
    return "\n".join(
        ["# Licences of what the run fetched", "", "| what | licence |", "|---|---|", *lines, ""]
    )


def start_from(source, folder):
    """Put the data, features, neighbours and scores of a published run into `folder`: names of what was taken.

    source: a crate (ZIP file or unpacked), or any folder with `results/` and records. Digests are checked before
    anything is written; what is there already stays if it is the same.

    Raises
    ------
    InputError: nothing to start from, a file whose digest is not its record's, another file in its place.

    """
    source, folder = Path(source), Path(folder)
    if source.is_file():
        with tempfile.TemporaryDirectory() as scratch:
            _unzip(source, Path(scratch))
            return start_from(scratch, folder)
    taken = []
    for part in STARTS:
        for place in sorted((source / RECORDS / "results" / part).rglob("*.json")):
            said = place.relative_to(source)
            taken += [
                (name, facts, said)
                for name, facts in read_record(place)["outputs"].items()
                if (source / name).exists()
            ]
    if not taken:
        parts = ", ".join(f"results/{part}" for part in STARTS)
        raise InputError(f"{source}: holds no artifact with a record in {parts}; nothing to start from")
    for name, facts, _ in taken:
        if ".." in PurePosixPath(name).parts or not name.startswith("results/"):
            raise InputError(f"{source}: a record speaks of `{name}`, outside results/; do not use this run")
        if digest(source / name) != facts["sha256"]:
            raise InputError(f"{source / name}: not what its record says; get it again")
        if (folder / name).exists() and digest(folder / name) != facts["sha256"]:
            raise InputError(f"{folder / name}: another one is there already; remove it first")
    # One record may be of several artifacts.
    missing = dict.fromkeys(
        n for name, _, said in taken if not (folder / name).exists() for n in (name, said)
    )
    _copy([(source / n, folder / n) for n in missing])
    return [name for name, *_ in taken]


def _copy(pairs):
    """Copy files and folders (source, target), all of them or none."""
    moves = [(source, target.with_name(f".partial.{target.name}"), target) for source, target in pairs]
    try:
        for source, partial, _ in moves:
            partial.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, partial, copy_function=shutil.copyfile, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, partial)
    except BaseException:
        for _, partial, _ in moves:
            shutil.rmtree(partial) if partial.is_dir() else partial.unlink(missing_ok=True)
        raise
    for _, partial, target in moves:
        partial.rename(target)


def _unzip(path, folder):
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                    raise InputError(
                        f"{path}: member `{name}` would be written outside its folder; do not use it"
                    )
            archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise InputError(f"{path}: not a readable crate ({error})") from None
