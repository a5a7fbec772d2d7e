"""What a hub does for those who write to it: makes repositories, takes files into its store, and commits them, all or none.

As the hub: without a token 401; a token that begins with hf_read may not write (403), nor may anybody in an organisation `others`. Files that
git would not hold go to a store by their SHA-256 first, and a commit that names one that is not there is refused. Before a commit
the repository's folder `main` is copied to one named by its commit, which stays.
"""

import base64
import hashlib
import json
import re
import shutil
from urllib.parse import unquote

CREATE, VALIDATE = "/api/repos/create", "/api/validate-yaml"
PREUPLOAD = re.compile(r"/api/datasets/([^/]+/[^/]+)/preupload/([^/]+)")
COMMIT = re.compile(r"/api/datasets/([^/]+/[^/]+)/commit/([^/]+)")
BATCH = re.compile(r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch")
PUT = re.compile(r"/upload/([0-9a-f]{64})")
VERIFY = "/upload/verify"


class Uploads:
    """Requests that write, for a handler of requests with `server`, `headers`, `reply`, `refuse` and `fault`."""

    def do_PUT(self):
        """A large file's content."""
        self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def writes(self, url, body, repository_at, large):
        """Answer a request that writes; whether it was one."""
        if found := PUT.fullmatch(url.path):
            return self._store(found[1], body)
        if url.path == VALIDATE:
            asked = json.loads(body)["content"]
            errors = [] if asked.startswith("---\n") else [{"message": "no metadata"}]
            return self._said(400 if errors else 200, {"errors": errors, "warnings": []})
        found = next((f for f in (p.fullmatch(url.path) for p in (PREUPLOAD, COMMIT, BATCH)) if f), None)
        if not (found or url.path in (CREATE, VERIFY)):
            return False
        asked = json.loads(body) if found is None or found.re is not COMMIT else None
        name = found[1] if found else f"{asked.get('organization')}/{asked.get('name')}"
        if url.path != VERIFY and not self._may_write(name):
            return True
        if url.path == CREATE:
            return self._create(name)
        if url.path == VERIFY:
            held = self._held(asked["oid"])
            right = held.is_file() and hashlib.sha256(held.read_bytes()).hexdigest() == asked["oid"]
            if not right:
                held.unlink(missing_ok=True)
            return self._said(
                200 if right else 422, {} if right else {"error": "the object is not as it was announced"}
            )
        repository = repository_at(self.server.root, "datasets", name, "main")
        if repository is None:
            return self.refuse(404, "RepoNotFound", "Repository not found") or True
        if found.re is PREUPLOAD:
            return self._said(
                200, {"files": [self._mode(repository, file, large) for file in asked["files"]]}
            )
        if found.re is BATCH:
            return self._said(
                200, {"transfer": "basic", "objects": [self._action(o) for o in asked["objects"]]}
            )
        return self._commit(name, repository, [json.loads(line) for line in body.splitlines()], repository_at)

    def _said(self, code, answer):
        self.reply(code, answer)
        return True

    def _may_write(self, name):
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if not token:
            self.refuse(401, "", "Invalid username or password.")
        elif token.startswith("hf_read") or name.startswith("others/"):
            self.refuse(403, "", "Forbidden: you don't have the rights to write there")
        return bool(token) and not token.startswith("hf_read") and not name.startswith("others/")

    def _create(self, name):
        place = self.server.root / "datasets" / name
        if place.is_dir():
            return self._said(
                409,
                {
                    "error": "You already created this dataset repo",
                    "url": f"{self.server.address}/datasets/{name}",
                },
            )
        (place / "main").mkdir(parents=True)
        return self._said(200, {"url": f"{self.server.address}/datasets/{name}", "name": name})

    def _mode(self, repository, file, large):
        kept = file["path"] in repository.paths
        oid = (
            repository.entry(file["path"]).get("lfs", repository.entry(file["path"]))["oid"] if kept else None
        )
        mode = "lfs" if large.search(file["path"]) else "regular"
        return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    def _held(self, oid):
        return self.server.root / "store" / oid

    def _action(self, file):
        if self._held(file["oid"]).is_file():
            return file
        place = f"{self.server.address}/upload"
        return file | {
            "actions": {"upload": {"href": f"{place}/{file['oid']}"}, "verify": {"href": f"{place}/verify"}}
        }

    def _store(self, oid, body):
        if self.fault("corrupt"):
            body = body[:-1] + bytes([body[-1] ^ 255])
        self._held(oid).parent.mkdir(exist_ok=True)
        self._held(oid).write_bytes(body)
        self.reply(200, b"")
        return True

    def _commit(self, name, repository, lines, repository_at):
        main, new = repository.base / "main", repository.base / ".new"
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(main, new)
        for line in lines[1:]:
            value, place = line["value"], new / unquote(line["value"]["path"])
            if line["key"] == "deletedFile":
                place.unlink()
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if line["key"] == "lfsFile":
                held = self._held(value["oid"])
                if not held.is_file() or held.stat().st_size != value["size"]:
                    shutil.rmtree(new)
                    return self._said(
                        400, {"error": f"LFS pointer pointed to a file that does not exist: {value['path']}"}
                    )
                shutil.copy(held, place)
            else:
                place.write_bytes(base64.b64decode(value["content"]))
        before = repository.base / repository.commit
        shutil.rmtree(before, ignore_errors=True)
        main.rename(before)
        new.rename(main)
        commit = repository_at(self.server.root, "datasets", name, "main").commit
        page = f"{self.server.address}/datasets/{name}/commit/{commit}"
        return self._said(200, {"success": True, "commitOid": commit, "commitUrl": page, "hookOutput": ""})
