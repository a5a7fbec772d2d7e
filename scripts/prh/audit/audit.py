"""Is every artifact of a run what its record says, made from what it says, and can it be made again?

Needs nothing but a folder with `results/` and `figures/`: what to expect stands in the records.
Four checks, each on its own: "digest" (the bytes are those of the record), "chain" (every input is what its own record
says, back to the pinned sources), "format" (the content has the form and meaning of its kind, and follows from its
inputs), "sample" (a seeded sample, made again by a plain implementation, agrees).
"""

from collections import defaultdict

import numpy as np

from prh.audit.artifacts import KINDS, NotHere, has_sample, kind_of, reasons, remake
from prh.audit.checks_sources import COMMIT
from prh.audit.findings import Finding, artifact_of
from prh.audit.run import FOLDERS, Run
from prh.errors import NOT_YOURS, InputError, check_readable
from prh.job import progress
from prh.kept import IMPORTED
from prh.provenance import (
    MANIFEST,
    WORKFLOW,
    digest,
    read_manifest,
    tree_digests,
)
from prh.sources.outside import SEEN, Outside, digests

OUTSIDE = tuple(f"results/{name}/" for name in ("logs", "benchmarks", "audit", "records"))
PAGES = ("results/README.md", "figures/README.md", "results/report/tour.html", IMPORTED.as_posix())
MOST = 3  # changed files that are named


def audit(folder, samples=4, seed=0, packages=None):
    """Check all artifacts below `folder`: a list of `Finding`, in the order of their names.

    Parameters
    ----------
    samples: so many artifacts of each rule are made again in part; 0 for none. seed: which of them, and which part.
    packages: rows of the package table by name, which the wheels must be those of; None to trust the records.

    Raises
    ------
    InputError: the folder has no records.

    """
    run = Run(folder)
    found = {name: Finding(name, record["rule"]) for name, record in run.made.items()}
    for name in progress(sorted(found), "digests", unit="artifact"):
        _check_digest(run, found[name])
    for name in sorted(found):
        _check_chain(run, found[name], packages or {})
    for name in progress(sorted(found), "formats", unit="artifact"):
        if run.path(name).exists() and NOT_YOURS not in found[name].reason:
            wrong = reasons(run, name)
            found[name].wrong += wrong
            found[name].passed += ["format"] * (kind_of(name) in KINDS and not wrong)
    _check_samples(run, found, samples, seed)
    for name, reason in run.damaged.items():
        found[name] = Finding(name, wrong=[reason])
    for name in _unrecorded(run):
        found[name] = Finding(name, wrong=["no record says what made it"])
    _spread(run, found)
    return [found[name] for name in sorted(found)]


def _check_digest(run, finding):
    path, said = run.path(finding.artifact), run.made[finding.artifact]["outputs"][finding.artifact]
    try:
        check_readable(path)
    except InputError as error:
        finding.wrong.append(str(error).removeprefix(f"{path}: "))
        return
    if not path.exists():
        merged = run.merged.get(finding.artifact)
        finding.absent, finding.elsewhere = not merged, run.origin(finding.artifact) is not None
        finding.remarks += [f"removed when it had been merged into {merged}"] * bool(merged)
        finding.remarks += ["not imported, only its record was"] * finding.elsewhere
    elif digest(path) != said["sha256"]:
        finding.wrong += _what_differs(path, said)
    else:
        finding.passed.append("digest")
        run.intact.add(finding.artifact)


def _what_differs(path, said):
    """Why a digest is another one; of a folder, which of its files."""
    if path.is_file():
        size = path.stat().st_size
        return [
            f"{size} bytes, recorded {said['bytes']}" if size != said["bytes"] else "its bytes have changed"
        ]
    try:
        listed = read_manifest(path)["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{MANIFEST}: not readable ({error})"]
    there = {name: sha for name, sha in tree_digests(path).items() if name != MANIFEST}
    changed = sorted(name for name in listed.keys() & there.keys() if listed[name] != there[name])
    lost, new = sorted(listed.keys() - there.keys()), sorted(there.keys() - listed.keys())
    found = [f"{name}: not what {MANIFEST} says" for name in changed]
    found += [f"{name}: in {MANIFEST}, but lost" for name in lost]
    found += [f"{name}: not in {MANIFEST}" for name in new]
    return found[:3] or [f"{MANIFEST}: changed"]


def _check_chain(run, finding, packages):
    """Every input is what the record of its own making says; what has no input is a pinned source."""
    name, wrong = finding.artifact, []
    for source in run.inputs(name):
        if source not in run.made:
            wrong.append(f"made from {source}, of which there is no record")
        elif run.sha256(source) != run.made[name]["inputs"][source]:
            wrong.append(f"made from another {source} than is there now")
    if not wrong and run.origin(name) and not finding.absent:
        finding.remarks.append(f"imported from {run.origin(name)}")
    elif not wrong and not run.inputs(name):
        wrong, remark = _source(run, name, packages)
        finding.remarks += [remark] if remark else []
    changed, remark = _outside(run, name)
    wrong += changed
    finding.remarks += [remark] if remark else []
    finding.wrong += wrong
    if not wrong:
        finding.passed.append("chain")
        leaves = _leaves(run, name)
        if kind_of(name) in ("figure", "report") and leaves:
            finding.remarks.append(f"rests on {len(leaves)} sources")


def _outside(run, name):
    """(what is wrong, a remark) of the files of the run's user that an artifact was made from, as they are there now.

    Where none of them is there any more, as in a run that was sent to somebody else, nothing is held against it.
    """
    said = {
        path: sha
        for path, sha in run.made[name]["inputs"].items()
        if not path.startswith((*FOLDERS, WORKFLOW))
    }
    there = [path for path in said if (run.folder / path).is_file()]
    if not said:
        return [], ""
    if not there:
        return [], f"{len(said)} files of its user are not here, and were not compared"
    found = digests(Outside(run.folder, there), run.folder / SEEN).values()
    changed = [
        f"{path}, which it was made from, has changed since"
        for path, sha in zip(there, found, strict=True)
        if sha != said[path]
    ]
    gone = [f"{path}, which it was made from, is gone" for path in sorted(said.keys() - {*there})]
    wrong = [*changed, *gone]
    more = [f"and {len(wrong) - MOST} more files"] if len(wrong) > MOST else []
    origins = sorted({run.imported[path] for path in said if path in run.imported})
    came = f", imported from {' and '.join(origins)}" if origins else ""
    return wrong[:MOST] + more, "" if wrong else f"{len(said)} files of its user are as they were{came}"


def _source(run, name, packages):
    """(what is wrong, a remark) of an artifact that was made from no other one: what pins it?"""
    params = run.params(name)
    if "package" in params:
        row = params["package"]
        pin = packages.get(row["package"])
        if pin and pin.version == row["version"] and pin.sha256 != row["sha256"]:
            return [f"the package table pins another digest of {row['package']}=={row['version']}"], ""
        return [], f"pinned: {row['package']}=={row['version']}"
    row = params.get("row") or {}
    if kind_of(name) not in ("dataset", "corpus", "model"):
        return [], ""  # drawn from the workflow itself, as the figure of the metrics' properties
    if not row.get("repo"):
        return [], "a source that nothing pins: files of whoever ran the workflow"
    said = f"{row['repo']} at {row['revision']}"
    if (run.path(name) / MANIFEST).is_file() and run.is_intact(name):
        fetched = read_manifest(run.path(name))
        said += f", fetched as {fetched['repo']} at commit {fetched['commit']}"
        said += "" if fetched["checksums_verified"] else ", offline: checksums not compared with the hub's"
    return [], f"pinned: {said}" if COMMIT.fullmatch(row["revision"]) else f"not pinned: {said}"


def _leaves(run, name):
    """The artifacts without inputs that an artifact comes from."""
    seen, todo = set(), [name]
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo += run.inputs(current)
    return {found for found in seen if found != name and not run.inputs(found)}


def _check_samples(run, found, samples, seed):
    """Make a part of some artifacts of each rule again: of those that passed what came before and that can be made here."""
    by_rule = defaultdict(list)
    for name in sorted(found):
        if has_sample(name) and not found[name].wrong and run.path(name).exists():
            by_rule[found[name].rule].append(name)
    for rule in progress(sorted(by_rule), "samples", unit="rule"):
        rng, made = np.random.default_rng([seed, *rule.encode()]), 0
        for name in rng.permutation(by_rule[rule]).tolist():
            if made < samples:
                made += _check_sample(run, found[name], rng)


def _check_sample(run, finding, rng):
    """Make a part of an artifact again: whether that could be done."""
    try:
        wrong, remark = remake(run, finding.artifact, rng)
    except NotHere as error:
        finding.remarks.append(str(error))
        return False
    except Exception as error:  # whatever a library says of content that should not be there
        wrong = [f"cannot be made again ({type(error).__name__}: {str(error).splitlines()[:1]})"]
        remark = ""
    finding.wrong += wrong
    finding.passed += [] if wrong else ["sample"]
    finding.remarks += [remark] if remark else []
    return True


def _unrecorded(run):
    """Files below the run's folders that no record speaks of."""
    known = set(run.made) | {artifact_of(name) for name in run.damaged}
    folders = tuple(f"{name}/" for name in known if run.path(name).is_dir())
    for top in FOLDERS:
        for path in sorted((run.folder / top).rglob("*")):
            name = path.relative_to(run.folder).as_posix()
            if (
                not path.is_file()
                or path.name == ".snakemake_timestamp"
                or name in PAGES
                or "/.partial." in name
            ):
                continue
            if name not in run.made and not name.startswith((*OUTSIDE, *folders)):
                yield name


def _spread(run, found):
    """Mark what was made from an artifact that fails, directly or not."""
    bad = {name for name, finding in found.items() if finding.verdict == "fail"}
    origin = {name: name for name in bad}
    changed = bool(bad)
    while changed:
        changed = False
        for name, finding in found.items():
            source = next((s for s in run.inputs(name) if s in origin), None)
            if source and name not in origin:
                origin[name] = finding.rests_on = origin[source]
                changed = True
