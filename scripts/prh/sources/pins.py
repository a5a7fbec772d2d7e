"""Pin what tables of config/ take from the model hub: `python -m prh.sources.pins TABLE ...`, see make pin-revisions.

Fills each row's `revision` with the commit that the named branch or tag has now, and, where the table has the columns,
`gated` and `licence` with what the hub says. A row that has a commit already keeps it.
"""

import csv
import re
import sys
from pathlib import Path

from huggingface_hub import HfApi

COMMIT = re.compile(r"[0-9a-f]{40}")


def pin(path, kind, api):
    """Pin the rows of one table, of repositories of one kind ("model" or "dataset"); returns what was done, line by line."""
    path = Path(path)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        rows, columns = list(reader), reader.fieldnames
    said = []
    for row in (row for row in rows if row["repo"]):
        if COMMIT.fullmatch(row["revision"] or ""):
            said.append(f"{row['name']}: has a commit, kept")
            continue
        try:
            facts = api.repo_info(row["repo"], repo_type=kind, revision=row["revision"] or "main")
        except OSError as error:
            said.append(f"{row['name']}: NOT pinned ({str(error).splitlines()[0]})")
            continue
        row["revision"] = facts.sha
        if "gated" in columns:
            row["gated"] = "yes" if facts.gated else "no"
        licence = (facts.card_data or {}).get("license")
        if licence:
            row["licence"] = licence
        said.append(f"{row['name']}: {facts.sha}")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter="\t", quoting=csv.QUOTE_NONE, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return said


if __name__ == "__main__":
    for table in sys.argv[1:]:
        print(*pin(table, "model" if "models" in table else "dataset", HfApi()), sep="\n")
