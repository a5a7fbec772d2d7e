"""Write the crate of a run: the rule `crate`. Or start from a published run: `python scripts/crate.py CRATE [FOLDER]`."""

import argparse
import sys
from pathlib import Path

from prh.audit.crate import export, start_from
from prh.errors import InputError
from prh.job import job


def main():
    """The command line: take data, features, neighbours and scores of a published run."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "crate", type=Path, help="a crate (ZIP file or folder), or a folder with results/ and records"
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(), help="where the run shall be (default: here)"
    )
    given = parser.parse_args()
    try:
        taken = start_from(given.crate, given.folder)
    except (InputError, OSError) as error:
        sys.exit(f"import: {error}")
    print(*taken, f"{len(taken)} artifacts, digests checked. Now: snakemake --cores all", sep="\n")


if "snakemake" in globals():
    with job(snakemake) as out:
        params = snakemake.params
        export(Path(), Path(__file__).parents[1], params.config, out.crate, params.title, params.large)
elif __name__ == "__main__":
    main()
