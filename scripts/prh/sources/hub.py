"""Snapshots of repositories on a model hub: pinned, resumed, checked; nothing half-written is taken for whole.

huggingface_hub downloads, resumes and caches, with whatever its environment variables say (HF_TOKEN, HF_HOME, HF_ENDPOINT,
HF_HUB_OFFLINE). Added here is what it leaves to its callers: a retry where it has none, the verification of checksums after
the download, a cache per endpoint, and one line for each thing that can be wrong.
"""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants, get_cached_repo_tree, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)

from prh.errors import InputError
from prh.sources.attempts import Passing, persist

ATTEMPTS = 5
PAUSE = 2.0  # seconds before the second attempt; four times as long before each further one


@dataclass(frozen=True)
class Snapshot:
    """A repository's files at one commit. verified: whether their checksums were compared with the hub's."""

    folder: Path
    repo: str
    commit: str
    verified: bool


class _DamagedError(Exception):
    """A file's checksum is not the hub's."""


# What may be better at the next attempt; the last is the base of all that the client's transport raises.
PASSING = (OSError, RevisionResolutionError, _DamagedError, HfHubHTTPError.__bases__[0])


def fetch(repo, revision, choose=None, kind="model", what="", attempts=ATTEMPTS, pause=PAUSE):
    """The files of a repository at a revision, as a `Snapshot` in the cache.

    Parameters
    ----------
    repo, revision: ORGANISATION/NAME; a commit, branch or tag.
    choose: function from the paths in the repository to those to download; None takes all.
    kind: "model" or "dataset".
    what: who asks, for messages.

    Raises
    ------
    InputError: gated, no such repository or revision, not reachable, not in the cache while offline, or a file that is
        damaged again and again.

    """
    where = f"{what}: " if what else ""
    page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{repo}"
    try:
        return persist(lambda: _attempt(repo, revision, choose, kind, where, page), attempts, pause)
    except Passing as error:
        raise _unfetched(where, page, error) from None


def _attempt(repo, revision, choose, kind, where, page):
    """`_fetch`; what may pass is raised as `Passing`, what does not as `InputError`."""
    try:
        return _fetch(repo, revision, choose, kind)
    except GatedRepoError:
        raise InputError(
            f"{where}{repo} is gated: accept its licence at {page}, then set HF_TOKEN to a token of yours"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(
            f"{where}{page}: no such repository, or a private one; correct the name, or set HF_TOKEN"
        ) from None
    except RevisionNotFoundError:
        raise InputError(f"{where}{repo} has no revision `{revision}`; correct it") from None
    except PASSING as error:
        if constants.HF_HUB_OFFLINE and isinstance(error, (LocalEntryNotFoundError, RevisionResolutionError)):
            raise InputError(
                f"{where}{repo} at `{revision}` is not complete in the cache {cache()}; unset HF_HUB_OFFLINE to fetch it"
            ) from None
        reason = (
            f"{type(error).__name__.lstrip('_')}: {(str(error).strip() or 'no reason given').splitlines()[0]}"
        )
        code, headers = answer_to(error)
        if code in (401, 403):
            raise InputError(
                f"{where}{page}: access refused ({code}); check HF_TOKEN and that the licence is accepted there"
            ) from None
        if code is None or not 400 <= code < 500 or code in (408, 429):
            raise Passing(reason, headers) from None
        raise _unfetched(where, page, reason) from None


def answer_to(error):
    """Status and headers of the hub's answer that an error tells of; None and None where there was no answer."""
    answer = getattr(error, "response", None) if isinstance(error, HfHubHTTPError) else None
    return getattr(answer, "status_code", None), getattr(answer, "headers", None)


def _unfetched(where, page, reason):
    return InputError(
        f"{where}{page} could not be fetched ({reason}); what is there is kept, run again to go on"
    )


def fetch_or_mirror(repo, revision, mirror, **options):
    """As `fetch`; where that fails, the mirror REPOSITORY@REVISION."""
    try:
        return fetch(repo, revision, **options)
    except InputError as error:
        if not mirror:
            raise
        print(f"{error}; taking the mirror {mirror}", file=sys.stderr, flush=True)
        try:
            return fetch(*split(mirror), **options)
        except InputError as second:
            raise InputError(f"{error}. And its mirror: {second}") from None


def split(name):
    """REPOSITORY@REVISION as (repository, revision); main where there is none."""
    repo, _, revision = name.partition("@")
    return repo, revision or "main"


def cache():
    """The cache's folder: the client's own, or one in it per endpoint where HF_ENDPOINT names another hub.

    The client's cache does not know which hub a file came from.
    """
    other = os.environ.get("HF_ENDPOINT")
    folder = Path(constants.HF_HUB_CACHE)
    return folder / "endpoints" / re.sub(r"\W+", "-", other.split("://")[-1]) if other else folder


def _fetch(repo, revision, choose, kind):
    """One attempt of `fetch`."""
    api, folder = HfApi(), cache()
    commit = api.resolve_revision(repo, repo_type=kind, revision=revision, cache_dir=folder).resolved
    options = {"repo_type": kind, "revision": commit, "cache_dir": folder}
    wanted = None
    if choose is not None:  # a first, small download brings the list of files along, online or not
        snapshot_download(repo, **options, allow_patterns=["README.md", "config.json"])
        wanted = choose([file.path for file in get_cached_repo_tree(repo, **options)])
    found = Path(snapshot_download(repo, **options, allow_patterns=wanted))
    if constants.HF_HUB_OFFLINE:
        print(f"{repo}: offline, checksums not verified", file=sys.stderr, flush=True)
        return Snapshot(found, repo, commit, verified=False)
    damaged = [mismatch["path"] for mismatch in api.verify_repo_checksums(repo, **options).mismatches]
    for path in damaged:
        (found / path).resolve().unlink()
        (found / path).unlink(missing_ok=True)
    if damaged:
        raise _DamagedError(f"the checksum of {damaged[0]} is not the hub's; removed, to be fetched again")
    return Snapshot(found, repo, commit, verified=True)
