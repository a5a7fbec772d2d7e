"""A model hub on the loopback device, for the unmodified clients: HF_ENDPOINT=http://127.0.0.1:PORT.

It serves ROOT/{models,datasets}/ORGANISATION/NAME/REVISION/..., a folder per revision; each has a commit made of its
content, or is named by one. An empty file GATED beside the revisions gates a repository: its files then want an Authorization header.

What writes to it is in `uploads`.

    python tests/rehearsal/loopback.py ROOT PORT
"""

import hashlib
import json
import re
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from uploads import Uploads

LARGE = re.compile(
    r"\.(safetensors|bin|parquet|model|zip)$|(^|/)tokenizer\.json$"
)  # served from another origin, as LFS files are
API = re.compile(
    r"/api/(models|datasets)/([^/]+/[^/]+?)(?:/(revision|tree|paths-info|refs)(?:/([^/]+)(?:/(.*))?)?)?"
)
FILE = re.compile(r"/(?:(datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
STORE = re.compile(r"/store/(models|datasets)/(.+)@@([^/]+)/(.+)")


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose path contains `match` and whose method is `method`.

    kind: "status" (reply with `code`, and `after` as Retry-After), "drop" (close without an answer), "cut" (close after `bytes` of
    the body), "corrupt" (one byte flipped), "slow" (wait `seconds` before the answer), "etag" (a wrong checksum in the header).
    """

    kind: str
    match: str = ""
    method: str = "GET"
    times: int = 1
    code: int = 503
    after: str = ""
    bytes: int = 0
    seconds: float = 0.0


@cache
def checksums(path, size, changed):
    """Git's and the plain digest of a file: (SHA-1 of the blob, SHA-256)."""
    data = Path(path).read_bytes()
    return hashlib.sha1(b"blob %d\0" % size + data).hexdigest(), hashlib.sha256(data).hexdigest()


def checksums_of(path):
    """`checksums`, computed once as long as the file stays."""
    stat = path.stat()
    return checksums(str(path), stat.st_size, stat.st_mtime_ns)


@dataclass
class Repository:
    """A repository at a revision; `folder` is None where there is no such revision."""

    base: Path
    folder: Path | None = None
    commit: str | None = None
    paths: list = field(default_factory=list)

    @classmethod
    def at(cls, root, kind, name, revision):
        """Look it up by branch or commit; None if there is no such repository."""
        base = root / kind / name
        if not base.is_dir():
            return None
        for folder in sorted(path for path in base.iterdir() if path.is_dir() and path.name[0] != "."):
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            names = [path.relative_to(folder).as_posix() for path in files]
            text = "".join(name + checksums_of(path)[0] for name, path in zip(names, files, strict=True))
            named = re.fullmatch(r"[0-9a-f]{40}", folder.name)
            commit = folder.name if named else hashlib.sha1(text.encode()).hexdigest()
            if revision in (folder.name, commit):
                return cls(base, folder, commit, names)
        return cls(base)

    def entry(self, path):
        """What the hub says of a file."""
        blob, sha256 = checksums_of(self.folder / path)
        size = (self.folder / path).stat().st_size
        found = {"type": "file", "oid": blob, "size": size, "path": path}
        return found | (
            {"lfs": {"oid": sha256, "size": size, "pointerSize": 134}} if LARGE.search(path) else {}
        )

    def tree(self, below, recursive):
        """What the hub says of the files and folders below a folder."""
        found = {}
        for path in self.paths:
            if below and not path.startswith(f"{below}/"):
                continue
            rest = path.removeprefix(f"{below}/" if below else "").split("/")
            for depth in range(1, len(rest) if recursive else min(len(rest), 2)):
                folder = "/".join(filter(None, [below, *rest[:depth]]))
                oid = hashlib.sha1(folder.encode()).hexdigest()
                found[folder] = {"type": "directory", "oid": oid, "size": 0, "path": folder}
            if recursive or len(rest) == 1:
                found[path] = self.entry(path)
        return list(found.values())


class Handler(Uploads, BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        """Print nothing."""

    def do_HEAD(self):
        """As the hub."""
        self.answer(b"")

    def do_GET(self):
        """As the hub."""
        self.answer(b"")

    def do_POST(self):
        """As the hub."""
        self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def answer(self, body):
        """Route the request; the client may hang up."""
        try:
            self.server.requests.append((self.command, self.path, self.headers.get("Range")))
            if not self.fails():
                self.route(urlsplit(self.path), body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def fault(self, *kinds):
        """The fault of one of these kinds that this request meets, if any; it is then used up by one."""
        with self.server.lock:
            for fault in self.server.faults:
                fits = fault.kind in kinds and fault.times and fault.match in self.path
                if fits and self.command == fault.method:
                    fault.times -= 1
                    return fault
        return None

    def fails(self):
        """Play what goes wrong instead of an answer, if anything does."""
        if fault := self.fault("slow"):
            time.sleep(fault.seconds)
        if self.fault("drop"):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return True
        if fault := self.fault("status"):
            headers = {"Retry-After": fault.after} if fault.after else {}
            self.reply(fault.code, {"error": "injected"}, headers)
            return True
        return False

    def route(self, url, body):
        """Find the answer."""
        if self.command in ("POST", "PUT") and self.writes(url, body, Repository.at, LARGE):
            return
        if found := STORE.fullmatch(url.path):
            repository = Repository.at(self.server.root, found[1], found[2], found[3])
            path = unquote(found[4])
            self.send(repository, path, {"ETag": f'"{checksums_of(repository.folder / path)[1]}"'})
        elif found := API.fullmatch(url.path):
            self.api(
                found[1], found[2], found[3], unquote(found[4] or "main"), unquote(found[5] or ""), url, body
            )
        elif found := FILE.fullmatch(url.path):
            self.resolve(found[1] or "models", found[2], unquote(found[3]), unquote(found[4]))
        else:
            self.refuse(404, "", "Not found")

    def look_up(self, kind, name, revision):
        """The repository, or None after an answer that says what is missing."""
        repository = Repository.at(self.server.root, kind, name, revision)
        if repository is None:
            self.refuse(
                401, "RepoNotFound", "Repository not found"
            )  # so the hub answers who is not logged in
        elif repository.folder is None:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return None
        return repository

    def api(self, kind, name, what, revision, below, url, body):
        """What is known of a repository."""
        repository = self.look_up(kind, name, revision)
        if repository is None:
            return
        if what == "tree":
            recursive = parse_qs(url.query).get("recursive", ["false"])[0].lower() in ("true", "1")
            self.reply(200, repository.tree(below.rstrip("/"), recursive))
        elif what == "paths-info":
            asked = json.loads(body) if body[:1] == b"{" else parse_qs(body.decode())
            wanted = {path.rstrip("/") for path in asked.get("paths", [])}
            self.reply(200, [entry for entry in repository.tree("", True) if entry["path"] in wanted])
        elif what == "refs":
            branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": repository.commit}
            self.reply(200, {"branches": [branch], "converts": [], "tags": []})
        else:
            gated = "manual" if (repository.base / "GATED").is_file() else False
            facts = {"id": name, "modelId": name, "sha": repository.commit, "private": False, "gated": gated}
            facts |= {
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "cardData": {"license": "other"},
            }
            facts |= {"lastModified": "2024-05-01T00:00:00.000Z", "createdAt": "2024-01-01T00:00:00.000Z"}
            self.reply(200, facts | {"siblings": [{"rfilename": path} for path in repository.paths]})

    def resolve(self, kind, name, revision, path):
        """A file, or where it lies."""
        repository = self.look_up(kind, name, revision)
        if repository is None:
            return
        if (repository.base / "GATED").is_file() and not self.headers.get("Authorization"):
            self.refuse(401, "GatedRepo", f"Access to model {name} is restricted. Please log in.")
            return
        if path not in repository.paths:
            self.refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": repository.commit})
            return
        entry = repository.entry(path)
        etag = entry.get("lfs", entry)["oid"]
        if self.fault("etag"):
            etag = "0" * len(etag)
        headers = {"X-Repo-Commit": repository.commit, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if "lfs" not in entry:
            self.send(repository, path, headers)
            return
        place = f"http://localhost:{self.server.server_port}/store/{kind}/{name}@@{repository.commit}/{path}"
        linked = {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(entry["size"]), "Location": place}
        self.reply(302, b"", headers | linked)

    def send(self, repository, path, headers):
        """A file's content, or the range that is asked for."""
        data = (repository.folder / path).read_bytes()
        begin, end = 0, len(data)
        same = self.headers.get("If-Range") in (None, headers.get("ETag"))
        if found := same and re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            begin, end = int(found[1]), min(end, int(found[2]) + 1 if found[2] else end)
            if begin >= len(data):
                self.reply(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                return
            headers = headers | {"Content-Range": f"bytes {begin}-{end - 1}/{len(data)}"}
        self.send_response(206 if "Content-Range" in headers else 200)
        for key, value in {**headers, "Content-Length": str(end - begin)}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        part, fault = data[begin:end], self.fault("cut", "corrupt")
        if fault and fault.kind == "corrupt":
            part = part[:-1] + bytes([part[-1] ^ 255])
        if fault and fault.kind == "cut":
            part, self.close_connection = part[: fault.bytes], True
        self.wfile.write(part)

    def refuse(self, code, word, message, headers=None):
        """An error in the hub's form."""
        self.reply(
            code, {"error": message}, {"X-Error-Code": word, "X-Error-Message": message, **(headers or {})}
        )

    def reply(self, code, body, headers=None):
        """An answer; what is not bytes goes as JSON."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers = {"Content-Type": "application/json", **(headers or {})}
        self.send_response(code)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Hub(ThreadingHTTPServer):
    """The hub: `faults` to come, `requests` seen; serves in a thread until `close`."""

    daemon_threads = True

    def __init__(self, root, port=0, handler=Handler):
        super().__init__(("127.0.0.1", port), handler)
        self.root, self.faults, self.requests, self.lock = Path(root), [], [], threading.Lock()
        self.address = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        """Stop, and free the port."""
        self.shutdown()
        self.server_close()

    def environment(self, home, **more):
        """Environment variables that lead the clients here, with a cache of their own below `home`."""
        quiet = {
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
        }
        limits = {"HF_HUB_ETAG_TIMEOUT": "5", "HF_HUB_DOWNLOAD_TIMEOUT": "5"}
        return {"HF_ENDPOINT": self.address, "HF_HOME": str(home), **quiet, **limits, **more}


if __name__ == "__main__":
    hub = Hub(sys.argv[1], int(sys.argv[2]))
    print(f"export HF_ENDPOINT={hub.address}", flush=True)
    threading.Event().wait()
