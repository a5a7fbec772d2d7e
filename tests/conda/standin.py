"""A genuine conda, and a local channel that stands in for conda-forge, where no conda channel can be reached.

`python tests/conda/standin.py` builds three folders once, outside the repository, and prints where they lie (JSON):

- conda: conda 24.7.1 from PyPI, set up so that `conda-forge` means the channel below and nothing else exists
- channel: the running interpreter and PyPI wheels, at the versions of requirements.txt, as conda packages
- snakemake: a virtual environment with Snakemake and nothing else

It exits with 3 and one line where the platform cannot do it. What the packages lack: console scripts, headers, test suites;
the workflow uses none of them. Names are PyPI's but for those in CONDA_NAMES.
"""

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = Path(os.environ.get("PRH_CONDA_CACHE") or Path.home() / ".cache" / "prh-conda")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LIBRARY = f"lib/python{PYTHON}"
SUBDIR = "linux-64"
# Where conda-forge and PyPI disagree on the name of a package that envs/ asks for.
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base", "seaborn": "seaborn-base"}
CONDA_NAMES["huggingface-hub"] = "huggingface_hub"
# Of the paper's scale: what they hold is not in requirements.txt, and the test does not run their rules.
LEFT_TO_OTHERS = {"timm", "downstream", "map"}
PYPI_NAMES = {conda: pypi for pypi, conda in CONDA_NAMES.items()}
# Folders of wheels that nobody needs: a third of all files, and files are what takes time.
LEFT_OUT = {"include", "tests"}
# Runs in conda's own environment. Light compression: the channel is read once.
PACK = """
import sys
from conda_package_handling.api import create
for line in sys.stdin:
    folder, package = line.rstrip("\\n").split("\\t")
    create(folder, None, package, compression_tuple=(".tar.zst", "zstd", "zstd:compression-level=1"))
"""
CONDARC = """\
channel_alias: {channels}
channels: [conda-forge]
default_channels: []
channel_priority: strict
register_envs: false
repodata_fns: [repodata.json]
safety_checks: disabled
solver: classic
"""


class NotHereError(Exception):
    """The platform cannot do it."""


def check_platform():
    """Whether the interpreter can be taken apart the way conda packages it, and is the one that envs/ ask for."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NotHereError("the stand-in channel is made for Linux on x86_64 only")
    if not (Path(sys.base_prefix) / LIBRARY / "lib-dynload").is_dir() or sys.base_prefix == "/usr":
        raise NotHereError(f"the interpreter in {sys.base_prefix} is no self-contained one")
    wanted = {line for line in dependencies() if line.startswith("python ")}
    if wanted != {f"python ={PYTHON}"}:
        raise NotHereError(f"envs/ asks for {', '.join(wanted)}, this interpreter is {PYTHON}")


def dependencies():
    """All lines of all environments."""
    paths = [path for path in sorted((ROOT / "envs").glob("*.yaml")) if path.stem not in LEFT_TO_OTHERS]
    specs = [yaml.safe_load(path.read_text()) for path in paths]
    return {line for spec in specs for line in spec["dependencies"]}


def run(*command, **options):
    """Run a command; its output is shown only when it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")


def pip(python, *arguments):
    """Run pip of an environment."""
    run(python, "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check", *arguments)


def make_conda(folder, channels):
    """Install conda: take the source out of conda-lock's `_vendor` and give it its two entry points."""
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    pip(python, "install", "--no-deps", "-r", HERE / "requirements.txt")
    packages = folder / LIBRARY / "site-packages"
    (packages / "conda_lock" / "_vendor" / "conda").rename(packages / "conda")
    for path in (packages / "conda").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "conda_lock._vendor.conda" in text:
            path.write_text(text.replace("conda_lock._vendor.conda", "conda"), encoding="utf-8")
    shutil.rmtree(packages / "conda_lock")
    shutil.rmtree(next(packages.glob("conda_lock-*.dist-info")))  # names a plugin of conda that is gone now
    (folder / "bin" / "conda").write_text(f'#!/bin/sh\nexec "{python}" -m conda "$@"\n')
    (folder / "bin" / "conda").chmod(0o755)
    (folder / "bin" / "activate").write_text(f'eval "$("{folder}/bin/conda" shell.posix activate "$@")"\n')
    (folder / "conda-meta").mkdir()
    (folder / "conda-meta" / "history").touch()
    (folder / ".condarc").write_text(CONDARC.format(channels=channels.as_uri()))


def make_snakemake(folder):
    """A virtual environment that has Snakemake and what it needs."""
    run(sys.executable, "-m", "venv", folder)
    pip(folder / "bin" / "python", "install", "-c", ROOT / "requirements.txt", "snakemake")
    pip(folder / "bin" / "python", "uninstall", "--yes", "setuptools", "pip")


def make_channel(folder, conda):
    """Download the wheels that envs/ need, and make conda packages of them and of the interpreter."""
    (folder / SUBDIR).mkdir(parents=True)
    names = {PYPI_NAMES.get(name, name) for name in (line.split()[0] for line in dependencies())}
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        wheels, staged = Path(scratch) / "wheels", Path(scratch) / "staged"
        pip(sys.executable, "download", "--only-binary=:all:", "-c", ROOT / "requirements.txt",
            "--dest", wheels, *sorted(names - {"python"}))  # fmt: skip
        metadata = {wheel: read_metadata(wheel) for wheel in sorted(wheels.glob("*.whl"))}
        needs = {
            canonicalize_name(facts["Name"]): facts.get_all("Requires-Dist", [])
            for facts in metadata.values()
        }
        indexes = [stage_interpreter(staged, conda)]
        indexes += [stage_wheel(wheel, facts, needs, staged) for wheel, facts in metadata.items()]
        jobs = [
            (staged / x["name"], folder / SUBDIR / f"{x['name']}-{x['version']}-0.conda") for x in indexes
        ]
        run(conda / "bin" / "python", "-c", PACK, input="".join(f"{a}\t{b}\n" for a, b in jobs))
    write_repodata(folder, {path.name: index for (_, path), index in zip(jobs, indexes, strict=True)})


def read_metadata(wheel):
    """METADATA of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        return HeaderParser().parsestr(archive.read(name).decode("utf-8", "replace"))


def stage_interpreter(staged, conda):
    """The running interpreter and its standard library, made to find its shared library beside itself."""
    base, root = Path(sys.base_prefix), staged / "python"
    (root / "bin").mkdir(parents=True)
    binary = root / "bin" / f"python{PYTHON}"
    shutil.copy2(base / "bin" / binary.name, binary)
    for link in ("python", "python3"):
        (root / "bin" / link).symlink_to(binary.name)
    left_out = (
        "site-packages",
        "test",
        "tests",
        "idlelib",
        "tkinter",
        "turtledemo",
        "lib2to3",
        "ensurepip",
        "*.a",
    )
    shutil.copytree(base / LIBRARY, root / LIBRARY, symlinks=True, ignore=shutil.ignore_patterns(*left_out))
    for library in base.glob("lib/libpython*.so*"):
        shutil.copy2(library, root / "lib" / library.name, follow_symlinks=False)
    (root / LIBRARY / "site-packages").mkdir()
    (root / LIBRARY / "site-packages" / "README.txt").write_text("third-party packages\n")
    run(conda / "bin" / "patchelf", "--set-rpath", "$ORIGIN/../lib", binary)
    return write_info(root, "python", platform.python_version(), [])


def stage_wheel(wheel, facts, needs, staged):
    """A wheel's files, laid out as in an environment."""
    name = conda_name(facts["Name"])
    root, packages = staged / name, staged / name / LIBRARY / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if LEFT_OUT.isdisjoint(name.split("/")[:-1])]
        archive.extractall(packages, names)
    for data in packages.glob("*.data"):
        for part, target in {"purelib": packages, "platlib": packages, "data": root}.items():
            if (data / part).is_dir():
                shutil.copytree(data / part, target, dirs_exist_ok=True)
        shutil.rmtree(data)
    wanted = sorted(set(requirements_of(canonicalize_name(facts["Name"]), needs)))
    return write_info(root, name, facts["Version"].split("+")[0], [f"python {PYTHON}.*", *wanted])


def requirements_of(name, needs, extras=("",)):
    """What a wheel needs, in conda's words. Conda knows no extras: what they bring is listed as if asked for directly."""
    for line in needs.get(name, []):
        need = Requirement(line)
        if need.marker and not any(need.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        yield f"{conda_name(need.name)} {str(need.specifier).replace('==*', '*')}".strip()
        if need.extras:
            yield from requirements_of(canonicalize_name(need.name), needs, tuple(need.extras))


def conda_name(name):
    """The name of a PyPI package in the channel."""
    return CONDA_NAMES.get(canonicalize_name(name), canonicalize_name(name))


def write_info(root, name, version, depends):
    """Write what conda wants to know of a package; returns its index."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() or path.is_symlink()]
    index = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": depends,
        "subdir": SUBDIR,
    }
    paths = [
        {
            "_path": path.relative_to(root).as_posix(),
            "path_type": "softlink" if path.is_symlink() else "hardlink",
            "size_in_bytes": path.stat().st_size,
        }
        for path in files
    ]
    (root / "info").mkdir()
    (root / "info" / "files").write_text("".join(f"{path['_path']}\n" for path in paths))
    (root / "info" / "index.json").write_text(json.dumps(index))
    (root / "info" / "paths.json").write_text(json.dumps({"paths_version": 1, "paths": paths}))
    return index


def write_repodata(folder, indexes):
    """Write the channel's list of packages."""
    packages = {}
    for name, index in indexes.items():
        path = folder / SUBDIR / name
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        packages[name] = {**index, "sha256": digest, "size": path.stat().st_size}
    for subdir, listed in {SUBDIR: packages, "noarch": {}}.items():
        (folder / subdir).mkdir(exist_ok=True)
        repodata = {
            "info": {"subdir": subdir},
            "packages": {},
            "packages.conda": listed,
            "repodata_version": 1,
        }
        (folder / subdir / "repodata.json").write_text(json.dumps(repodata))


def key():
    """Digest of all that the three folders follow from."""
    parts = [Path(__file__), HERE / "requirements.txt", ROOT / "requirements.txt"]
    names = sorted(line.split()[0] for line in dependencies())
    text = "".join(path.read_text() for path in parts) + sys.version + sys.base_prefix + " ".join(names)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def build(folder):
    """Make the three folders."""
    folder.mkdir(parents=True)
    make_conda(folder / "conda", folder / "channels")
    make_channel(folder / "channels" / "conda-forge", folder / "conda")
    make_snakemake(folder / "snakemake")
    (folder / "environments").mkdir()  # the tests' own: beside the packages, conda can link instead of copy
    (folder / "done").touch()


def main():
    """Build what is not there yet, and say where it lies."""
    try:
        check_platform()
    except NotHereError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE.resolve() / key()
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second session waits for the first
        if not (folder / "done").exists():
            for old in {folder, *(path.parent for path in CACHE.resolve().glob("*/done"))}:
                shutil.rmtree(old, ignore_errors=True)  # of an earlier state of the repository
            build(folder)
    print(json.dumps({name: str(folder / name) for name in ("conda", "snakemake", "environments")}))


if __name__ == "__main__":
    main()
