"""What the table of bad inputs is made of: a rule's script, or a command, run in this process as a user's process would run
it, and what the terminal saw; steps that make its input."""

import io
import os
import runpy
import sys
import traceback
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

from snakemake.iocontainers import InputFiles, OutputFiles, Params, Wildcards

from helpers.project import ROOT
from prh.provenance import file_digest

# Streams over whatever the descriptors 1 and 2 are at the time; pytest puts its own in their place.
STREAMS = [io.TextIOWrapper(io.FileIO(n, "w", closefd=False), write_through=True) for n in (1, 2)]
# What Snakemake says whenever it starts with a profile beside the workflow, or a configuration of one's own.
SNAKEMAKES_OWN = ("Using workflow specific profile", "Config file ", "Failed to setup log file")


class Job:
    """A rule's script with a stand-in for the object that Snakemake gives it; paths are relative to the working directory."""

    def __init__(self, script, output, input=None, wildcards=None, run_config=None, **params):
        self.script, self.output, self.input = script, output, input or {}
        self.wildcards, self.run_config, self.params = wildcards or {}, run_config or {}, params

    def but(self, **params):
        """The same job with other parameters."""
        return Job(
            self.script, self.output, self.input, self.wildcards, self.run_config, **self.params | params
        )

    def older(self):
        """Put something older where the outputs go."""
        for name in self.output.values():
            place = Path(name) if Path(name).suffix else Path(name, "a.txt")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("older")

    def __call__(self):
        snakemake = SimpleNamespace(
            rule=self.script,
            output=_named(OutputFiles, self.output),
            input=_named(InputFiles, self.input),
            params=_named(Params, self.params),
            wildcards=_named(Wildcards, self.wildcards),
            resources=SimpleNamespace(gpu=0),
            config=self.run_config,
            log=[f"results/logs/{self.script}.log"],
            threads=1,
        )
        _forget_model_code()
        runpy.run_path(str(ROOT / "scripts" / f"{self.script}.py"), init_globals={"snakemake": snakemake})


def command(script, *arguments):
    """A function that runs a script of the workflow as a command."""

    def run():
        kept, sys.argv = sys.argv, [script, *arguments]
        try:
            runpy.run_path(str(ROOT / "scripts" / script), run_name="__main__")
        finally:
            sys.argv = kept

    return run


def prepare(steps, run):
    """Make the input, and where the outputs go something older."""
    _forget_model_code()
    for step in steps:
        step()
    if isinstance(run, Job):
        run.older()


def dry_run():
    """`snakemake -n --configfile mine.yaml`: reads and checks configuration and tables."""
    from snakemake.cli import main

    main(["--snakefile", str(ROOT / "Snakefile"), "-n", "--cores", "1", "--configfile", "mine.yaml"])


def watched(run):
    """Call `run`: (exit status, lines that the terminal saw)."""
    reader, terminal = os.pipe()  # not a file, which a full disk would cut off
    streams, kept = (sys.stdout, sys.stderr), (os.dup(1), os.dup(2))
    sys.stdout, sys.stderr = STREAMS
    os.dup2(terminal, 1)
    os.dup2(terminal, 2)
    os.close(terminal)
    try:
        run()
        status = 0
    except SystemExit as exit:
        status = exit.code or 0
        if isinstance(status, str):  # as Python does at its end
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        for stream, descriptor in zip(STREAMS, kept, strict=True):
            os.dup2(descriptor, stream.fileno())
            os.close(descriptor)
        sys.stdout, sys.stderr = streams
    with os.fdopen(reader) as said:
        return status, said.read().splitlines()


def contents(folder="."):
    """Digests of the files below a folder, by path, and what is half-written. Logs, and what is Snakemake's own, do not count."""
    found = {p.relative_to(folder).as_posix(): p for p in sorted(Path(folder).rglob("*"))}
    own = (".snakemake", "results/logs")
    return {
        name: file_digest(path) if path.is_file() else "folder"
        for name, path in found.items()
        if (path.is_file() or ".partial." in name) and not name.startswith(own)
    }


def _forget_model_code():
    """Unload what earlier jobs took from a model's folder: no other process would have it."""
    for name, module in list(sys.modules.items()):
        if "results/models" in (getattr(module, "__file__", None) or ""):
            del sys.modules[name]
    for path in [path for path in sys.path_importer_cache if path.startswith("results/models")]:
        del sys.path_importer_cache[path]


def _named(kind, values):
    """As Snakemake passes them on; a list of an input are several files of one name."""
    found = kind()
    for name, value in values.items():
        several = kind is InputFiles and isinstance(value, list)
        first = len(found)
        found.extend(value if several else [value])
        found._set_name(name, first, end=len(found) if several else None)
    return found


# steps: what makes the input, called one after the other in an empty folder. says: what the one line must contain.
Row = namedtuple("Row", "id steps run says")


# Steps.


def put(path, data):
    """Write text or bytes."""

    def step():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(data.encode() if isinstance(data, str) else data)

    return step


def damage(path, change):
    """Change a file's bytes."""
    return lambda: Path(path).write_bytes(change(Path(path).read_bytes()))


def remove(path):
    """Remove a file."""
    return lambda: Path(path).unlink()


def emptied(data):
    return b""


def halved(data):
    return data[: len(data) // 2]


def shortened(data):
    """A byte less, and the line's end if there is one."""
    return data.rstrip(b"\n")[:-1]


def headless(data):
    return b"\0" * 16 + data[16:]


DAMAGES = (emptied, halved, shortened, headless)
