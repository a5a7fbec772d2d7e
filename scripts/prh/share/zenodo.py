"""A run as a draft on Zenodo, by its deposit API. To publish the draft is left to its owner: a DOI cannot be taken back."""

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from prh.errors import InputError
from prh.provenance import file_digest
from prh.share.card import card, in_html, title_of
from prh.share.deposit_api import Site
from prh.share.fetch import CRATE, FEATURES
from prh.share.licences import forbids
from prh.share.publish import pack
from prh.share.upload import CARD
from prh.sources.download import LOOPBACK

SITES = ("https://zenodo.org", "https://sandbox.zenodo.org")
BASE = "|".join([*map(re.escape, SITES), *(rf"http://{re.escape(host)}:\d+" for host in LOOPBACK)])
PLACE = re.compile(rf"({BASE})(?:/(?:uploads|deposit)/(\d+))?/?")
MOST, ROOM = 100, 50 * 10**9  # what a record takes: files, bytes
JOINT = "--"  # for the "/" of a path: Zenodo has no folders


class Draft(NamedTuple):
    """A draft's `page`, where its owner sees it; what it holds, a `Parcel`; the `source` to import from, once it is published."""

    page: str
    parcel: tuple
    source: str


def publish(folder, to, features=(), accepted=(), creators=(), otherwise=(), private=False):
    """Make a `Draft` of the run in `folder`, or go on with one: what is there with the same MD5 is not sent again.

    to: https://zenodo.org, https://sandbox.zenodo.org, or a draft there, .../uploads/ID. creators: names, "Family, Given"; without any,
    those that the draft has, or `otherwise`. features, accepted: see `prh.share.publish.publish`. What is in the draft beside a run's
    files stays, as does what its owner said there beside what `metadata` says.

    Raises
    ------
    InputError: what `pack` says, no token, no creator, more than a record takes, a draft that is published or not there, or what Zenodo
        says. Once there is a draft its address is named, and what is there stays.

    """
    found, token = PLACE.fullmatch(to), os.environ.get("ZENODO_TOKEN", "").strip()
    if not found:
        raise InputError(f"{to}: name {' or '.join(SITES)}, or a draft of yours there, {SITES[0]}/uploads/ID")
    if private:
        raise InputError(f"{to}: leave out --private, which is for the hub; only you see a draft of Zenodo")
    if not re.fullmatch(r"[!-~]+", token):
        raise InputError(f"{to}: set ZENODO_TOKEN to a token of this site that may write (deposit:write)")
    if not (creators or otherwise):
        raise InputError(f'{to}: name who made the run: --creator "Family, Given", or git config user.name')
    parcel = pack(folder, features, accepted)
    files = _named(to, parcel)
    (base, number), site = found.groups(), Site(found[1], token)
    address = f"{base}/api/deposit/depositions"
    # An answer to POST that is lost may leave an empty draft there; whoever called again by hand would get one, too.
    draft = site.ask("GET", f"{address}/{number}") if number else site.ask("POST", address, json={})
    if draft["submitted"]:
        raise InputError(f"{to}: is published, its files stay as they are; begin a new draft: TO={base}")
    page = draft["links"]["html"]
    print(f"draft: {page}", flush=True)
    source = f"{base}/records/{draft['id']}/files/{CRATE}#sha256={file_digest(files[CRATE])}"
    theirs = {key: value for key, value in draft["metadata"].items() if number and key != "prereserve_doi"}
    who = [{"name": name} for name in creators] or theirs.get("creators") or [{"name": x} for x in otherwise]
    try:
        with tempfile.TemporaryDirectory() as scratch:
            files[CARD] = Path(scratch, CARD)
            files[CARD].write_text(card(parcel, source, joint=JOINT), encoding="utf-8")
            _send(site, f"{address}/{draft['id']}", draft, files)
        # Last: a new draft cannot be published without, so none is that has a part of the files.
        said = theirs | metadata(parcel, source) | {"creators": who}
        site.ask("PUT", f"{address}/{draft['id']}", json={"metadata": said})
    except (InputError, OSError) as error:
        raise InputError(f"{error}; what is there stays, go on with it: make publish TO={page}") from None
    return Draft(page, parcel, source)


def _named(to, parcel):
    """Files by their names there; what does not fit into a record is refused."""
    files = {place.replace("/", JOINT): path for place, path in parcel.files.items()}
    held = sum(path.stat().st_size for path in files.values())
    if len(files) < len(parcel.files):
        raise InputError(f"{to}: two files would have one name, {JOINT} for /; name other models in FEATURES")
    if len(files) >= MOST or held >= ROOM:  # with the card
        raise InputError(
            f"{to}: {len(files) + 1} files of {held / 1e9:.1f} GB; a record takes {MOST} of {ROOM / 1e9:.0f} GB, name fewer models in FEATURES"
        )
    return files


def _send(site, address, draft, files):
    """Make a draft hold `files` by their names, and none of a run that is not among them."""
    there = {file["filename"]: file for file in draft.get("files", [])}
    for name, file in there.items():
        if name not in files and name.startswith((f"{FEATURES}{JOINT}", f"figures{JOINT}")):
            site.ask("DELETE", f"{address}/files/{file['id']}")
    for name, path in sorted(files.items()):
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if there.get(name, {}).get("checksum") != md5:
            site.ask("PUT", f"{draft['links']['bucket']}/{quote(name, safe='')}", path, f"md5:{md5}")


def metadata(parcel, source):
    """What is said of the record, but for who made it."""
    # Features that are there only since their publisher may pass them on, others may not: then the whole is not called open.
    features = [f"results/{place}" for place in parcel.files if place.startswith(f"{FEATURES}/")]
    closed = any(forbids(name, parcel.licences) for name in features)
    licence = "other-closed" if closed else "other-open"
    said = {"title": title_of(parcel), "description": in_html(parcel, source), "license": licence}
    return {"upload_type": "dataset", **said}
