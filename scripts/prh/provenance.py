"""Digests and records: what an artifact is, what made it, and from what."""

import ast
import hashlib
import json
import platform
import resource
import sys
from pathlib import Path

MANIFEST = "manifest.json"
RECORDS = Path("results/records")


def file_digest(path):
    """SHA-256 of a file, as hexadecimal text."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(path):
    """SHA-256 of a file, or of a folder: that of the sorted lines `<sha256>  <relative path>` of its files."""
    path = Path(path)
    if path.is_file():
        return file_digest(path)
    lines = [f"{sha}  {name}\n" for name, sha in tree_digests(path).items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def tree_digests(folder):
    """Digest of each file below `folder`, by relative path, sorted. Snakemake's own time stamp does not count."""
    folder = Path(folder)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != ".snakemake_timestamp")
    return {p.relative_to(folder).as_posix(): file_digest(p) for p in files}


def write_json(path, value):
    """Write `value` as sorted, indented JSON."""
    Path(path).write_text(
        json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def write_manifest(folder, **facts):
    """Write `manifest.json` into `folder`: the given facts and the digest of every other file."""
    folder = Path(folder)
    (folder / MANIFEST).unlink(missing_ok=True)
    write_json(folder / MANIFEST, {**facts, "files": tree_digests(folder)})


def read_manifest(folder):
    """The manifest of a folder that `write_manifest` has finished."""
    return json.loads((Path(folder) / MANIFEST).read_text(encoding="utf-8"))


def code_digest(script, library):
    """SHA-256 over a script and all library modules that it imports, directly or not, by content.

    As a parameter of a rule it makes Snakemake re-run exactly the rules whose code has changed.
    """
    found, todo = {}, [Path(script)]
    while todo:
        path = todo.pop()
        if path in found:
            continue
        found[path] = path.read_bytes()
        todo += [p for p in _library_imports(found[path], Path(library)) if p not in found]
    parts = sorted((path.name, hashlib.sha256(code).hexdigest()) for path, code in found.items())
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _library_imports(code, library):
    """Files of the package `library` that the source text imports."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    prefix = f"{library.name}."
    files = [library / f"{name.removeprefix(prefix)}.py" for name in sorted(names) if name.startswith(prefix)]
    return [file for file in files if file.is_file()]


def record(rule, inputs, outputs, params, seconds):
    """The record of a finished job, as a mapping; `inputs` and `outputs` are paths."""
    return {
        "rule": rule,
        "outputs": {str(p): {"sha256": digest(p), "bytes": _size(p)} for p in sorted(map(str, outputs))},
        "inputs": {str(p): digest(p) for p in sorted(map(str, inputs))},
        "parameters": params,
        "versions": imported_versions(),
        "machine": {
            "python": platform.python_version(),
            "system": platform.system(),
            "cpu": platform.machine(),
        },
        "seconds": round(seconds, 2),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def imported_versions():
    """Versions of the packages that this process has imported, of those that carry one."""
    modules = {name: sys.modules[name] for name in sorted(sys.modules) if "." not in name and name[0] != "_"}
    found = {name: getattr(module, "__version__", None) for name, module in modules.items()}
    return {name: version for name, version in found.items() if isinstance(version, str)}


def _size(path):
    path = Path(path)
    return (
        path.stat().st_size
        if path.is_file()
        else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    )
