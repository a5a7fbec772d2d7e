"""Share a run: `python scripts/share.py import FROM` starts from what others published, `... publish ORGANISATION/NAME` publishes.

FROM: a crate, a run's folder, a folder of features, or a file of them; an https address of one of these files, a digest behind it as
#sha256=...; ORGANISATION/NAME or ORGANISATION/NAME@REVISION, a data-set repository of the hub.
"""

import argparse
import shutil
import sys
from pathlib import Path

from prh.errors import InputError
from prh.share.fetch import KEPT, fetch, origin
from prh.share.imports import start_from

BASE = Path(__file__).parents[1]
NONE = "none is stated in the authors' repository"


def take(given):
    """Import: say what came, from where, and under which licences."""
    if not given.where:
        raise InputError("name what to import, as in: make import FROM=crate.zip")
    found = fetch(given.where, tuple(given.features.split()))
    name = origin(given.where)
    if found.crate is None:
        from prh.share.features import take as take_features

        files, theirs = take_features(found.features, given.folder, name, found.pin, BASE)
        shutil.rmtree(KEPT, ignore_errors=True)
        print(*files, sep="\n")
        print(f"{len(files)} files of features. Licence: {NONE if theirs else found.licence or 'not stated'}")
        then = "snakemake --cores all --configfile config/official.yaml" if theirs else ""
        print(
            "Now:",
            then or f"python scripts/add.py model {files[0]} --modality language (or vision) > mine.yaml",
        )
        return
    taken, licences = start_from(found.crate, given.folder, name, found.pin, found.features)
    shutil.rmtree(KEPT, ignore_errors=True)
    print(*taken, sep="\n")
    print("Licences:", *(f"  {kind} {of}: {licence}" for (kind, of), licence in licences.items()), sep="\n")
    print(f"{len(taken)} artifacts, digests checked. Now: snakemake --cores all figures")


def give(given):
    """Publish: say what, where, and what was left out."""
    from prh.share.publish import publish

    names, accepted = tuple(given.features.split()), tuple(given.accept)
    address, commit, parcel = publish(given.folder, given.to, names, accepted, given.private)
    for what, why in parcel.left_out:
        print(f"left out: {what}: {why}")
    print(f"{len(parcel.files)} files and the card: {address} at commit {commit}")
    print(f"To start from it: make import FROM={given.to}@{commit}")


def main():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ways = parser.add_subparsers(dest="way", required=True)
    way = ways.add_parser("import", help="start from a published run, or from features")
    way.add_argument("where", metavar="FROM")
    way.add_argument(
        "folder", nargs="?", type=Path, default=Path(), help="where the run shall be (default: here)"
    )
    way.add_argument("--features", default="", help="of a repository: models whose features come too, or all")
    way.set_defaults(run=take)
    way = ways.add_parser("publish", help="publish a run on the hub")
    way.add_argument("to", metavar="ORGANISATION/NAME")
    way.add_argument("folder", nargs="?", type=Path, default=Path(), help="where the run is (default: here)")
    way.add_argument("--features", default="", help="models whose features are published too, or all")
    way.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="NAME",
        help="a model or data set whose licence, which you have read, allows to publish features",
    )
    way.add_argument("--private", action="store_true", help="make a new repository private")
    way.set_defaults(run=give)
    given = parser.parse_args()
    try:
        given.run(given)
    except (InputError, OSError) as error:
        sys.exit(f"{given.way}: {error}")


if __name__ == "__main__":
    main()
