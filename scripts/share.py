"""Share a run: `python scripts/share.py import FROM` starts from what others published, `... publish TO` publishes.

FROM: a crate, a run's folder, a folder of features, or a file of them; an https address of one of these files, a digest behind it as
#sha256=...; ORGANISATION/NAME or ORGANISATION/NAME@REVISION, a data-set repository of the hub.
TO: ORGANISATION/NAME, a data-set repository of the hub; https://zenodo.org or https://sandbox.zenodo.org, where a draft is made; a draft
of yours there, https://zenodo.org/uploads/ID, to go on with.
"""

import argparse
import shutil
import subprocess
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
    names, accepted = tuple(given.features.split()), tuple(given.accept)
    if given.to.startswith(("https:", "http:")):
        from prh.share.zenodo import publish as draft

        who = (given.creator, name_of_git())
        page, parcel, source = draft(given.folder, given.to, names, accepted, *who, given.private)
        place = f"a draft, which only you see: {page}"
    else:
        from prh.share.publish import publish

        if given.creator:
            raise InputError("leave out --creator, which is for Zenodo; the hub knows who publishes")
        address, commit, parcel = publish(given.folder, given.to, names, accepted, given.private)
        page, source, place = None, f"{given.to}@{commit}", f"{address} at commit {commit}"
    for what, why in parcel.left_out:
        print(f"left out: {what}: {why}")
    print(f"{len(parcel.files)} files and the card: {place}")
    if page:
        print(
            "Look at it, fill in what is missing, and press Publish there. A DOI cannot be taken back, so this is left to you."
        )
        print(f"To go on with the draft before that: make publish TO={page}")
    print(f"To start from it{', once it is published' if page else ''}: make import FROM={source}")


def name_of_git():
    """Who git says works in the workflow's folder, as a list of names: one, or none."""
    try:
        asked = subprocess.run(["git", "-C", BASE, "config", "user.name"], capture_output=True, text=True)
    except OSError:  # there is no git
        return []
    return [asked.stdout.strip()] if asked.stdout.strip() else []


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
    way = ways.add_parser("publish", help="publish a run on the hub, or as a draft on Zenodo")
    way.add_argument("to", metavar="TO")
    way.add_argument("folder", nargs="?", type=Path, default=Path(), help="where the run is (default: here)")
    way.add_argument("--features", default="", help="models whose features are published too, or all")
    way.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="NAME",
        help="a model or data set whose licence, which you have read, allows to publish features",
    )
    way.add_argument("--private", action="store_true", help="make a new repository of the hub private")
    way.add_argument(
        "--creator",
        action="append",
        default=[],
        metavar='"FAMILY, GIVEN"',
        help="for Zenodo: who made the run, instead of git's user.name; several times for several",
    )
    way.set_defaults(run=give)
    given = parser.parse_args()
    try:
        given.run(given)
    except (InputError, OSError) as error:
        sys.exit(f"{given.way}: {error}")


if __name__ == "__main__":
    main()
