"""What every script shares: its log, its one-line errors, outputs that are whole or absent, their record."""

import os
import shutil
import stat
import sys
import time
import traceback
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from tqdm import tqdm

from prh.errors import InputError, check_readable, check_writable
from prh.provenance import plain, record, record_path, write_json


@contextmanager
def job(snakemake):
    """Run a script's body; yields a namespace with a temporary path per named output, and `outside` and `known`, empty, for
    digests by path: of files from outside that the script has read, and of inputs that it has looked at itself.

    All that is printed goes to the rule's log. When the body ends, the outputs are moved into place and a record,
    named after the first one, is written. When it raises, nothing is left behind, and older outputs stay; an `InputError`
    becomes one line on the terminal, anything else one line there and a traceback in the log.
    """
    began, clock = datetime.now(UTC), time.monotonic()
    finals = {name: Path(path) for name, path in snakemake.output.items()}
    partial = {name: path.with_name(f".partial.{path.name}") for name, path in finals.items()}
    place = record_path(next(iter(finals.values()))) if finals else None
    moves = [(partial[name], path) for name, path in finals.items()]
    moves += [(place.with_name(f".partial.{place.name}"), place)] if finals else []
    log = Path(snakemake.log[0]) if snakemake.log else None
    with ExitStack() as stack:
        terminal = sys.stderr
        try:
            for path in [final for _, final in moves] + [log] * bool(log):
                check_writable(path.parent)
            for path in _flat(snakemake.input):
                check_readable(path)
            terminal = stack.enter_context(_logged_to(log))
            for path, _ in moves:  # what a killed job left, its scratch folders NAME~... too
                for left in (path, *path.parent.glob(f"{path.name}~*")):
                    _remove(left)
            out = SimpleNamespace(**partial, outside={}, known={})
            yield out
            if finals:  # all is written before anything takes the place of something older
                for path, _ in moves[:-1]:
                    _follow_umask(path)
                made = {str(final): path for path, final in moves[:-1]}
                made = _record(snakemake, made, began, clock, out)
                place.parent.mkdir(parents=True, exist_ok=True)
                write_json(moves[-1][0], made)
            for path, final in moves:
                _remove(final)
                path.rename(final)
        except BaseException as error:
            _explain(error, snakemake.rule, terminal)
            for path, _ in moves:
                with suppress(OSError):
                    _remove(path)
            sys.exit(1)


def _record(snakemake, finals, began, clock, out):
    params = {name: plain(value) for name, value in snakemake.params.items()}
    script = Path(getattr(sys.modules["__main__"], "__file__", ""))  # Snakemake puts the rule's script here
    return record(
        snakemake.rule,
        _flat(snakemake.input),
        finals,
        params,
        time.monotonic() - clock,
        began,
        script if script.is_file() else None,
        getattr(snakemake, "threads", 1),
        out.outside,
        out.known,
    )


def progress(items, what, total=None, unit="it"):
    """`items`, with a line in the log every ten seconds: count, rate and the time that is left."""
    return tqdm(items, desc=what, total=total, unit=unit, mininterval=10, maxinterval=10, ascii=True)


def use_threads(count):
    """Give PyTorch `count` threads, and make what it computes repeatable."""
    import torch

    torch.set_num_threads(count)
    torch.use_deterministic_algorithms(True, warn_only=True)


@contextmanager
def _logged_to(path):
    """Send standard output and error, of libraries in C too, to `path`; yields the terminal's own error stream."""
    if path is None:
        yield sys.stderr
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    terminal = os.fdopen(os.dup(2), "w")
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    yield terminal


def _explain(error, rule, terminal):
    known = isinstance(error, InputError)
    cause = next((found for found in _chain(error) if isinstance(found, OSError)), error)
    reason = error if known else f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else ''}"
    print(f"{rule}: {reason}", file=terminal, flush=True)
    if terminal is sys.stderr:  # there is no log
        return
    with suppress(OSError):  # the disk may be full
        if not known:
            traceback.print_exception(error)
        print(f"{rule}: {reason}", file=sys.stderr, flush=True)


def _chain(error):
    """An error, and those in whose handling it was raised: closing a file on a full disk raises what says little."""
    while error:
        yield error
        error = error.__context__


def _follow_umask(path):
    """Give a file, or a folder and all in it, the rights that the umask grants: safetensors and temporary folders keep them back."""
    os.umask(umask := os.umask(0))
    for place in (path, *path.rglob("*")):
        found = place.lstat()
        linked = place.is_symlink() or (place.is_file() and found.st_nlink > 1)  # its user's own file
        if not linked:
            place.chmod(stat.S_IMODE(found.st_mode) | (0o777 if place.is_dir() else 0o666) & ~umask)


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flat(paths):
    """Every path of a Snakemake input, lists among its names included, once."""
    return sorted({str(path) for path in paths})
