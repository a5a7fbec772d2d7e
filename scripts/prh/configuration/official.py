"""The authors' files of features: what is known of them before one is read."""

from prh.errors import InputError
from prh.share.official import OFFICIAL, official
from prh.sources.outside import Outside, digests

POINTER = b"version https://git-lfs"


def check_official(files, table, row):
    """Raise `InputError` unless a file with the name of one of the authors' has its size and digest, and its row their layers and width."""
    theirs = official(table).get(files.names[0])
    if theirs:
        published, path = theirs["sha256"], files.folder / files.names[0]
        for column in ("layers", "width"):
            if getattr(row, column) not in (None, int(theirs[column])):
                raise InputError(
                    f"`{path.name}` has {theirs[column]} for {column} ({OFFICIAL}), the row has {getattr(row, column)}; correct it"
                )
        with path.open("rb") as file:
            if file.read(len(POINTER)) == POINTER:
                raise InputError(
                    f"`{path.name}` is a pointer of Git LFS, not the file; get it by: git lfs pull"
                )
        if path.stat().st_size != int(theirs["bytes"]):
            raise InputError(
                f"`{path.name}` has {path.stat().st_size} bytes, the authors' file of this name {theirs['bytes']} ({OFFICIAL}); get it "
                "anew, or give it another name"
            )
        (found,) = digests(Outside(files.folder, files.names)).values()
        if found != published:
            raise InputError(
                f"`{files.names[0]}` has the name of a file of the authors', but not its content ({OFFICIAL}): its SHA-256 is {found}, "
                f"theirs {published}; get it anew, or give it another name"
            )
