"""Digests and records: what an artifact is, what made it, and from what."""

import ast
import hashlib
import json
import platform
import resource
import sys
import warnings
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from prh.errors import InputError, check_readable, damaged

MANIFEST = "manifest.json"
RECORDS = Path("results/records")
RECORD_FORMAT = "prh-record 2"
LIBRARY = Path(__file__).parent
WORKFLOW = "workflow:"  # before the name of an input that is a part of the workflow, as the notebook is


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
    return {name: file_digest(Path(folder) / name) for name in tree_files(folder)}


def tree_files(folder):
    """The files below `folder`, as relative paths, sorted. Snakemake's own time stamp does not count."""
    folder = Path(folder)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != ".snakemake_timestamp")
    return [p.relative_to(folder).as_posix() for p in files]


def part_digest(folder, names):
    """As `digest`, of a folder with a manifest of which only the files `names` were read: those are compared with the manifest,
    of the others it is believed. Raises `InputError` for one that is not what the manifest says.
    """
    folder = Path(folder)
    listed = {**read_manifest(folder)["files"], MANIFEST: file_digest(folder / MANIFEST)}
    for name in names:
        if file_digest(folder / name) != listed.get(name):
            raise InputError(
                f"{folder / name}: not what {MANIFEST} says; remove {folder} to have it made again"
            )
    lines = [f"{listed[name]}  {name}\n" for name in sorted(listed, key=lambda name: name.split("/"))]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def json_text(value):
    """`value` as sorted, indented JSON."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def plain(value):
    """A parameter as JSON can write it."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(v) for v in value]
    if hasattr(value, "__dict__"):
        return plain(vars(value))
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def write_json(path, value):
    """Write `value` as sorted, indented JSON."""
    Path(path).write_text(json_text(value), encoding="utf-8")


def write_texts(folder, texts):
    """Write text files by name into `folder`, all of them or none."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    partial = {folder / name: folder / f".partial.{name}" for name in texts}
    try:
        for path, text in zip(partial.values(), texts.values(), strict=True):
            path.write_text(text, encoding="utf-8", newline="\n")
        for final, path in partial.items():
            path.replace(final)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)


def write_manifest(folder, **facts):
    """Write `manifest.json` into `folder`: the given facts and the digest of every other file."""
    folder = Path(folder)
    (folder / MANIFEST).unlink(missing_ok=True)
    write_json(folder / MANIFEST, {**facts, "files": tree_digests(folder)})


def read_manifest(folder):
    """The manifest of a folder that `write_manifest` has finished."""
    return read_json(Path(folder) / MANIFEST, ["files"])


def read_json(path, keys):
    """A mapping that `write_json` wrote. Raises `InputError` if it is damaged or lacks one of `keys`."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, error) from None
    missing = [key for key in keys if not isinstance(found, dict) or key not in found]
    if missing:
        raise InputError(f"{path}: key `{missing[0]}` is missing; remove it to have it made again")
    return found


def code_digest(script, library, modules=()):
    """SHA-256 over a script and all library modules that it imports, directly or not, by content.

    As a parameter of a rule it makes Snakemake re-run exactly the rules whose code has changed. See `code_files`.
    """
    listed = sorted(code_files(script, library, modules).items())
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]


def code_files(script, library, modules=()):
    """SHA-256 of a script and of each library module that it imports, directly or not, by path from the script's folder.

    modules: names of further modules that it loads at run time, as prh.features.cnn. A package's own `__init__.py` counts
    where it holds more than a docstring, but not the library's: what that offers is for callers outside of the workflow.
    Raises `InputError` for an import of a library module that is not there.
    """
    library, found = Path(library), {}
    todo = [Path(script), *(file for name in modules for file in _module_files(name, library))]
    while todo:
        path = todo.pop()
        if path in found:
            continue
        found[path] = path.read_bytes()
        todo += _library_imports(path, found[path], library)
    own = library / "__init__.py"
    counted = {p: c for p, c in found.items() if p != own and (p.name != "__init__.py" or _source(c).acts)}
    names = {path: path.relative_to(library.parent).as_posix() for path in counted if path != Path(script)}
    return {
        names.get(path, path.name): hashlib.sha256(code).hexdigest() for path, code in sorted(counted.items())
    }


class _Source(NamedTuple):
    """What a source text imports, as (level, module, names), and whether it holds more than a docstring."""

    imports: tuple
    acts: bool


@cache  # many scripts share a module, and every start of Snakemake asks for all of them
def _source(code):
    tree, imports = ast.parse(code), []
    for node in _statements(tree.body):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports += [(node.level, node.module, tuple(alias.name for alias in node.names))]
    acts = any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in tree.body
    )
    return _Source(tuple(imports), acts)


def _statements(nodes):
    """Statements and all within them; `ast.walk` looks at each expression, too, which takes several times as long."""
    for node in nodes:
        yield node
        for part in ("body", "handlers", "orelse", "finalbody", "cases"):
            yield from _statements(getattr(node, part, ()))


@cache
def _library_imports(path, code, library):
    """Files of the package `library` that a source text imports, the packages that they lie in included."""
    package = path.parent.relative_to(library.parent).parts if path.is_relative_to(library) else ()
    files = set()
    for level, name, defined in _source(code).imports:
        above = package[: len(package) + 1 - level] if level else ()
        module = ".".join([*above, *([name] if name else [])])
        files |= {*_module_files(module, library)}
        for thing in defined:  # a module, or what the module defines
            files |= {*_module_files(f"{module}.{thing}", library, defined=True)}
    return sorted(files)


def _module_files(name, library, defined=False):
    """The file of a library module or package, by its name, and those of the packages that it lies in.

    defined: it may be no module at all.
    """
    first, *rest = name.split(".")
    if first != library.name:
        return []
    stem = library.joinpath(*rest)
    if not (stem.with_suffix(".py").is_file() or stem.is_dir()):
        if defined:
            return []
        raise InputError(f"{name}: no such module in {library}; correct the import")
    packages = [library.joinpath(*rest[:depth]) / "__init__.py" for depth in range(len(rest) + 1)]
    return [file for file in (*packages, stem.with_suffix(".py")) if file.is_file()]


def record(rule, inputs, outputs, params, seconds, began, script=None, threads=1, outside=None, known=None):
    """The record of a finished job, as a mapping.

    Two clean runs give the same record but for what stands under the key `run`: start, duration, peak memory, and the
    digest of the record itself, which shows when somebody, or a disk, has changed it.

    Parameters
    ----------
    inputs: paths; of a folder the digest is that of all its files, see `digest`.
    outputs: where each output lies now, by its path.
    seconds: how long the job took.
    began: when it began, in UTC.
    script: the script that ran; None where that is unknown.
    outside: digests of files from outside by path, which count as inputs.
    known: digests of inputs by path that the job has found itself, see `part_digest`.

    """
    known, base = known or {}, Path(script).parents[1] if script else None
    made = {
        "format": RECORD_FORMAT,
        "rule": rule,
        "outputs": {
            name: {"sha256": digest(outputs[name]), "bytes": _size(outputs[name])} for name in sorted(outputs)
        },
        "inputs": {portable(p, base): known.get(p) or digest(p) for p in sorted(map(str, inputs))}
        | (outside or {}),
        "parameters": params,
        "seeds": {name: value for name, value in params.items() if name == "seed"},
        "code": code_files(script, LIBRARY, _loaded()) if script else {},
        "environment": {
            "python": platform.python_version(),
            "packages": imported_versions(),
            "conda": _conda(),
        },
        "device": {**_device(params.get("device") or "cpu"), "system": platform.system(), "threads": threads},
    }
    usage = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    run = {
        "started": began.isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "peak_memory_mb": max(usage) // 1024,
    }
    return seal({**made, "run": run})


def _loaded():
    """Names of the library modules that this process has imported: those that no import statement names, too."""
    return sorted(name for name in sys.modules if name.startswith(f"{LIBRARY.name}."))


def seal(made):
    """A record with the digest of itself, which `is_sealed` checks."""
    run = {name: value for name, value in made["run"].items() if name != "sha256"}
    made = {**made, "run": run}
    return {**made, "run": {**run, "sha256": hashlib.sha256(json_text(made).encode()).hexdigest()}}


def read_record(path):
    """A record. Raises `InputError` if it is damaged, edited, or of another format."""
    check_readable(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
        made = json.loads(text)
        if made["format"] != RECORD_FORMAT:
            raise InputError(
                f"{path}: a record of the format {made['format']}, not {RECORD_FORMAT}; make it anew"
            )
        if json_text(seal(made)) != text:
            raise InputError(f"{path}: the record is not as it was written")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a readable record ({error})") from None
    return made


def record_path(artifact):
    """Where the record of an artifact stands: not beside it, for it holds times, and folders of results none."""
    return RECORDS / f"{artifact}.json"


def imported_versions():
    """Versions of the packages that this process has imported, Python's own and this library left out."""
    own = {"prh", "snakemake", *sys.stdlib_module_names}
    names = sorted(name for name in sys.modules if "." not in name and name[0] != "_" and name not in own)
    with warnings.catch_warnings(action="ignore"):  # some packages want to be asked otherwise
        found = {name: getattr(sys.modules[name], "__version__", None) or _installed(name) for name in names}
    return {name: str(version) for name, version in found.items() if version}


def _installed(name):
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None


def _conda():
    """What identifies the conda environment that Python runs in: its file's digest, and that of its list of builds."""
    prefix = Path(sys.prefix)
    if not (prefix / "conda-meta").is_dir():
        return None
    builds = sorted(path.stem for path in (prefix / "conda-meta").glob("*.json"))
    described = prefix.with_name(
        prefix.name + ".yaml"
    )  # where Snakemake keeps what it made the environment from
    return {
        "builds": hashlib.sha256("\n".join(builds).encode()).hexdigest(),
        "file": file_digest(described) if described.is_file() else None,
    }


def _device(name):
    """What computed: the processor, or the name of the GPU."""
    if name == "cpu" or "torch" not in sys.modules:
        return {"kind": "cpu", "name": platform.machine()}
    return {"kind": "cuda", "name": sys.modules["torch"].cuda.get_device_name(name)}


def portable(path, base):
    """A path as a record names it: what belongs to the workflow itself is named from `base`, the workflow's folder, or None."""
    if base and Path(path).is_absolute() and Path(path).is_relative_to(base):
        return WORKFLOW + Path(path).relative_to(base).as_posix()
    return str(path)


def _size(path):
    path = Path(path)
    if path.is_file():
        return path.stat().st_size
    return sum((path / name).stat().st_size for name in tree_files(path))
