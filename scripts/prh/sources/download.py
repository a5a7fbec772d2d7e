"""A file from an address: streamed to disk, resumed after a break, checked by its length and digest; whole, or not there."""

import http.client
import re
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

from prh.errors import InputError
from prh.provenance import file_digest
from prh.sources.attempts import Passing, persist

ATTEMPTS, PAUSE, WAIT = 5, 2.0, 30  # the last in seconds, for an answer
PIECE = 1 << 20
AGENT = "prh-workflow/0.1"  # who asks; Zenodo turns away what Python's clients call themselves
LOOPBACK = ("127.0.0.1", "localhost")
PASSING = (408, 425, 429, 500, 502, 503, 504)


def download(address, path, attempts=ATTEMPTS, pause=PAUSE):
    """Fetch `address` to `path`; what there is of an earlier attempt, PATH.part, is gone on with. Returns the file's SHA-256.

    address: https://..., with the file's digest as `#sha256=HEX` behind it where that is known, as pip writes it.

    Raises
    ------
    InputError: no https, no such file, another digest, not reachable after so many attempts; what is there then stays.

    """
    path = Path(path)
    part, plain = path.with_name(f"{path.name}.part"), urldefrag(address).url
    wanted = digest_of(address)
    _check_secret(plain)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        persist(lambda: _attempt(plain, part), attempts, pause, growth=2)
    except Passing as error:
        raise InputError(
            f"{plain} could not be fetched ({error}); what is there is kept, run again to go on"
        ) from None
    found = file_digest(part)
    if wanted and found != wanted:
        part.unlink()
        raise InputError(f"{plain}: its SHA-256 is {found}, {wanted} was asked for; nothing is kept of it")
    part.replace(path)
    _mark(part).unlink(missing_ok=True)
    return found


def digest_of(address):
    """The SHA-256 that an address names behind #, or "". Raises `InputError` for something else there."""
    fragment = urldefrag(address).fragment
    if fragment and not re.fullmatch(r"sha256[=:][0-9a-f]{64}", fragment):
        raise InputError(f"{address}: behind # a digest is meant, sha256= and 64 hexadecimal digits")
    return fragment[7:]


def _check_secret(address):
    """Nothing is read from an address that somebody on the way may change."""
    if not (urlsplit(address).scheme == "https" or urlsplit(address).hostname in LOOPBACK):
        raise InputError(f"{address}: give an address that begins with https://")


def _attempt(address, part):
    """`_go_on`; what may pass is raised as `Passing`, what does not as `InputError`."""
    try:
        _go_on(address, part)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # what is there is as long as the file, or of another one
            part.unlink(missing_ok=True)
        elif error.code not in PASSING:
            raise InputError(f"{address}: {error.code} {error.reason}; correct the address") from None
        raise Passing(f"{error.code} {error.reason}", error.headers) from None
    except (OSError, http.client.HTTPException) as error:
        raise Passing(f"{type(error).__name__}: {error}") from None


def _go_on(address, part):
    """One attempt: what is missing of `part`. The server's mark of the file's version tells whether that is the same file still."""
    done = part.stat().st_size if part.is_file() and _mark(part).is_file() else 0
    request = urllib.request.Request(address, headers={"Accept-Encoding": "identity", "User-Agent": AGENT})
    if done:
        request.add_header("Range", f"bytes={done}-")
        request.add_header("If-Range", _mark(part).read_text())
    with urllib.request.urlopen(request, timeout=WAIT) as answer:
        _check_secret(answer.url)
        goes_on = answer.status == 206
        length = answer.headers.get("Content-Length")
        if answer.headers.get("ETag"):
            _mark(part).write_text(answer.headers["ETag"])
        with part.open("ab" if goes_on else "wb") as file:
            got = 0
            while piece := answer.read(PIECE):
                file.write(piece)
                got += len(piece)
    if length is not None and got != int(length):
        raise OSError(f"{got} of {length} bytes came")


def _mark(part):
    return part.with_name(f"{part.name}.etag")
