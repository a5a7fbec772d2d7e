"""The authors' files of features, as the pointers of their first commit list them."""

import csv
from pathlib import Path

OFFICIAL = "config/published/official_features.tsv"


def official(table):
    """What the table says of each file, by its name: sha256, bytes, dtype, layers, width."""
    lines = Path(table).read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader([line for line in lines if not line.startswith("#")], delimiter="\t")
    return {row["file"]: row for row in rows}
