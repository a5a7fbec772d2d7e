"""Add an own model or data set to the tables: `python scripts/add.py model PATH_OR_REPO`, `python scripts/add.py data FOLDER`.

What was found is said on standard error; a configuration for a run with it, for --configfile, goes to standard output.
"""

import argparse
import sys
from pathlib import Path

from prh.configuration.add import add_data, add_model, as_text
from prh.errors import InputError

SCHEMAS = Path(__file__).parents[1] / "config" / "schemas"


def main():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    model = kinds.add_parser(
        "model", help="a folder, a .gguf file, a file of features or a repository of the hub"
    )
    model.add_argument("where", metavar="PATH_OR_REPO")
    model.add_argument("--type", help="the kind of model (default: as its files tell)")
    model.add_argument("--modality", help="of features, which do not tell: language or vision")
    model.add_argument("--label", help="its name on figures (default: its name)")
    data = kinds.add_parser("data", help="a folder with images and their captions")
    data.add_argument("where", metavar="FOLDER")
    for kind in (model, data):
        kind.add_argument("--name", help="its name in the table (default: that of the folder)")
    given = parser.parse_args()
    try:
        if given.kind == "model":
            found = add_model(given.where, SCHEMAS, given.name, given.type, given.label, given.modality)
        else:
            found = add_data(given.where, SCHEMAS, given.name)
    except (InputError, OSError) as error:
        sys.exit(f"add: {error}")
    facts, config = as_text(*found)
    print(facts, file=sys.stderr)
    print(config, end="")


if __name__ == "__main__":
    main()
