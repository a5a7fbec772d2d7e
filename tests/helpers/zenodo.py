"""A Zenodo on the loopback device: its deposit API as far as drafts go, with its status codes and JSON, and published records' files.

As Zenodo: clients that call themselves what Python's do by default are turned away (403); without a token 401; a token that begins with
read may not write (403); what others began is not shown (403); a draft's files have no folders, a file that is sent again replaces the
older one, and a hundred are all; an answer lists files only where there are any. A draft is published with a title, a creator, a
description and a file, and stays as it is from then on; before, its files are nobody's (404). Faults are the loopback hub's; a damaged file
is kept damaged, and the answer has its checksum.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from urllib.parse import unquote

from helpers.shared import Handler, Hub

MOST = 100
LICENCES = ("other-open", "other-closed", "cc-by-4.0")
DRAFTS = "/api/deposit/depositions"
DRAFT = re.compile(DRAFTS + r"/(\d+)(?:/(actions/publish|files/([\w-]+)))?")
BUCKET = re.compile(r"/api/files/([\w-]+)/([^/]+)")
FILE = re.compile(r"/records/(\d+)/files/([^/]+)")


@dataclass
class Deposit:
    """A draft, or what became of it."""

    number: int
    owner: str
    metadata: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)  # ids by names
    submitted: bool = False

    @property
    def bucket(self):
        return f"b-{self.number:08}"


class Deposits(Handler):
    """One request."""

    def do_DELETE(self):
        self.answer(b"")

    def route(self, url, body):
        if re.match(r"python-(requests|urllib)/", self.headers.get("User-Agent", ""), re.IGNORECASE):
            self.refuse(403, "Name your client in the header User-Agent.")
            return
        if found := FILE.fullmatch(url.path):
            self.download(int(found[1]), unquote(found[2]))
            return
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        bucket = BUCKET.fullmatch(url.path)
        found = DRAFT.fullmatch(url.path)
        if not token:
            self.refuse(
                401, "The server could not verify that you are authorized to access the URL requested."
            )
        elif self.command != "GET" and token.startswith("read"):
            self.refuse(403, "Permission denied.")
        elif url.path == DRAFTS and self.command == "POST":
            self.create(token, body)
        elif not (bucket or found):
            self.refuse(404, "The requested URL was not found on the server.")
        elif (deposit := self.deposit(bucket, found)) is None:
            self.refuse(404, "The persistent identifier does not exist.")
        elif deposit.owner != token:
            self.refuse(403, "Permission denied.")
        elif bucket and self.command == "PUT":
            self.store(deposit, unquote(bucket[2]), body)
        elif found and found[3] and self.command == "DELETE":
            self.remove(deposit, found[3])
        elif found and found[2] == "actions/publish" and self.command == "POST":
            self.publish(deposit)
        elif found and not found[2] and self.command == "PUT":
            self.describe(deposit, json.loads(body))
        elif found and not found[2] and self.command == "GET":
            self.reply(200, self.shown(deposit))
        else:
            self.refuse(405, "The method is not allowed for the requested URL.")

    def refuse(self, code, message, *more):
        """An error in Zenodo's form."""
        self.reply(code, {"status": code, "message": message, **({"errors": [*more]} if more else {})})

    def deposit(self, bucket, found):
        if found:
            return self.server.deposits.get(int(found[1]))
        return next((d for d in self.server.deposits.values() if d.bucket == bucket[1]), None)

    def folder(self, deposit):
        return self.server.root / str(deposit.number)

    def shown(self, deposit):
        """What is said of a deposit."""
        api = f"{self.server.address}{DRAFTS}/{deposit.number}"
        page = "records" if deposit.submitted else self.server.page
        links = {
            "self": api,
            "html": f"{self.server.address}/{page}/{deposit.number}",
            "files": f"{api}/files",
            "bucket": f"{self.server.address}/api/files/{deposit.bucket}",
            "publish": f"{api}/actions/publish",
        }
        reserved = {"doi": f"10.5281/zenodo.{deposit.number}", "recid": deposit.number}
        said = {
            "id": deposit.number,
            "record_id": deposit.number,
            "title": deposit.metadata.get("title", ""),
            "metadata": {"access_right": "open", **deposit.metadata, "prereserve_doi": reserved},
            "state": "done" if deposit.submitted else "unsubmitted",
            "submitted": deposit.submitted,
            "links": links,
        }
        files = [self.file(deposit, name) for name in deposit.files]
        return said | ({"files": files} if files else {})

    def file(self, deposit, name):
        data = (self.folder(deposit) / name).read_bytes()
        md5 = hashlib.md5(data).hexdigest()
        return {"id": deposit.files[name], "filename": name, "filesize": len(data), "checksum": md5}

    def create(self, token, body):
        if self.headers.get("Content-Type") != "application/json" or json.loads(body) != {}:
            self.refuse(415, "Invalid 'Content-Type' header. Expected one of: application/json")
            return
        deposit = Deposit(1000 + len(self.server.deposits), token)
        self.server.deposits[deposit.number] = deposit
        self.folder(deposit).mkdir(parents=True)
        self.reply(201, self.shown(deposit))

    def store(self, deposit, name, body):
        if deposit.submitted:
            self.refuse(403, "Permission denied.")
            return
        if name not in deposit.files and len(deposit.files) >= MOST:
            self.refuse(400, f"Uploading selected files will result in {MOST + 1} files (max. {MOST}).")
            return
        if self.fault("corrupt"):
            body = body[:-1] + bytes([body[-1] ^ 255])
        (self.folder(deposit) / name).write_bytes(body)
        deposit.files[name] = f"f-{len(self.server.requests)}"
        md5 = f"md5:{hashlib.md5(body).hexdigest()}"
        self.reply(201, {"key": name, "size": len(body), "checksum": md5, "is_head": True})

    def remove(self, deposit, number):
        name = next((name for name, of in deposit.files.items() if of == number), None)
        if name is None or deposit.submitted:
            self.refuse(404 if name is None else 403, "The file is not there, or stays.")
            return
        (self.folder(deposit) / name).unlink()
        del deposit.files[name]
        self.reply(204, b"")

    def describe(self, deposit, said):
        metadata = said["metadata"]
        errors = []
        if metadata.get("license") not in LICENCES:
            errors.append({"field": "metadata.license", "message": "Invalid value."})
        if not all(creator.get("name", "").strip() for creator in metadata.get("creators", [])):
            errors.append({"field": "metadata.creators.0.name", "messages": ["Missing data.", "Name it."]})
        if errors:
            self.refuse(400, "A validation error occurred.", *errors)
            return
        deposit.metadata = {key: value for key, value in metadata.items() if key != "prereserve_doi"}
        self.reply(200, self.shown(deposit))

    def publish(self, deposit):
        lacking = [key for key in ("title", "creators", "description") if not deposit.metadata.get(key)]
        if lacking or not deposit.files:
            errors = [
                {"field": f"metadata.{key}", "message": "Missing data for required field."} for key in lacking
            ]
            self.refuse(400, "A validation error occurred.", *errors)
            return
        deposit.submitted = True
        self.reply(202, self.shown(deposit))

    def download(self, number, name):
        deposit = self.server.deposits.get(number)
        if deposit is None or not deposit.submitted or name not in deposit.files:
            self.refuse(404, "The record or file does not exist.")
            return
        self.send(SimpleNamespace(folder=self.folder(deposit)), name, {"ETag": f'"{deposit.files[name]}"'})


class Zenodo(Hub):
    """It serves in a thread until `close`; `deposits` by their numbers, `page`: which of its addresses of drafts it names."""

    def __init__(self, root, page="uploads"):
        self.deposits, self.page = {}, page
        super().__init__(root, handler=Deposits)
