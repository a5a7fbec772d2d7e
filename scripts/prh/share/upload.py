"""Files to a data-set repository of the hub, in one commit: all of them or none, and what arrived is what was sent."""

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from prh.errors import InputError
from prh.provenance import file_digest
from prh.sources.attempts import Passing, persist
from prh.sources.hub import answer_to

CARD = "README.md"
PASSING = (408, 422, 429, 500, 502, 503, 504)  # 422: a file arrived damaged
FAILING = (HfHubHTTPError, HfHubHTTPError.__bases__[0], OSError)  # the second is of the client's transport


def upload(repo, files, card, private=False, owned=()):
    """Make the data-set repository hold `files`, paths by their place in it, and the card: (address, commit).

    A repository that is not there is made. Files go one by one and from disk; what is there already is not sent again. Below the folders
    `owned` other files of earlier times are removed by the same commit.

    Raises
    ------
    InputError: no token, one that may not write there, a name that is nobody's, a hub that cannot be reached, or that has another
        content afterwards.

    """
    try:
        return persist(lambda: _attempt(repo, files, card, private, owned))
    except Passing as error:
        raise _unpublished(repo, error) from None


def _attempt(repo, files, card, private, owned):
    """`_upload`; what goes wrong there is raised as `Passing`, or as `InputError` that says what to do."""
    try:
        return _upload(repo, files, card, private, owned)
    except RepositoryNotFoundError:
        raise InputError(
            f"{_page(repo)}: no such repository, or it may not be written to; correct the name, or set HF_TOKEN to a token that may write"
        ) from None
    except (*FAILING, RuntimeError) as error:
        if isinstance(error, RuntimeError) and isinstance(error.__cause__, FAILING):  # of a file
            error = error.__cause__
        code, headers = answer_to(error)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if code in (401, 403):
            raise InputError(
                f"{_page(repo)}: the hub refuses ({code}); set HF_TOKEN to a token that may write there"
            ) from None
        if code is None or code in PASSING:
            raise Passing(reason, headers) from None
        raise _unpublished(repo, reason) from None


def _unpublished(repo, reason):
    return InputError(
        f"{_page(repo)}: could not be published ({reason}); nothing of it is seen there, run again to go on"
    )


def _upload(repo, files, card, private, owned):
    """What `upload` does, once."""
    api, kind = HfApi(), {"repo_type": "dataset"}
    api.create_repo(repo, private=private, exist_ok=True, **kind)
    there = api.list_repo_files(repo, **kind)
    gone = [name for name in there if name.startswith(tuple(owned)) and name not in files] if owned else []
    adds = [CommitOperationAdd(name, str(path)) for name, path in sorted(files.items())]
    for add in adds:
        api.preupload_lfs_files(repo, [add], free_memory=False, **kind)
    operations = [*adds, CommitOperationAdd(CARD, card.encode()), *map(CommitOperationDelete, gone)]
    done = api.create_commit(repo, operations, commit_message="A run, its numbers and features", **kind)
    found = {entry.path: entry for entry in api.get_paths_info(repo, [*files], revision=done.oid, **kind)}
    for name, path in sorted(files.items()):
        entry = found.get(name)
        if entry is None or entry.size != path.stat().st_size:
            raise InputError(f"{_page(repo)}: {name} is not there as it was sent; publish again")
        if entry.lfs is not None and entry.lfs.sha256 != file_digest(path):
            raise InputError(f"{_page(repo)}: {name} has another SHA-256 there than here; publish again")
    return _page(repo), done.oid


def _page(repo):
    return f"{constants.ENDPOINT}/datasets/{repo}"
