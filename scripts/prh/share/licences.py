"""What may be passed on: licences as the tables have them, in words, and which of them let others have what was made with them."""

import csv
import re
from pathlib import Path

# Licences that let whoever has a work pass it on, changed or not, for any purpose. What is not named here is not passed on: of a
# licence of somebody's own, or one that asks to be accepted, its reader decides.
FREE = re.compile(
    r"(apache(-| )2\.0|mit|isc|bsd(-[23]-clause)?|cc0(-1\.0)?|cc[- ]by([- ]sa)?([- ][1-4]\.0)?|public domain"
    r"|unicode licence( v3)?|unlicense|made by the run)",
    re.IGNORECASE,
)


def licences_of(folder):
    """{(kind, name): licence} of all that a run took from outside, by its table; {} if it has none."""
    path = Path(folder) / "results/tables/licences.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["kind"], row["name"]): row["licence"] for row in csv.DictReader(file)}


def in_markdown(licences):
    """Lines of a Markdown table of `licences_of`."""
    lines = [f"| {kind} `{name}` | {licence} |" for (kind, name), licence in licences.items()]
    return ["| what | licence |", "|---|---|", *lines]


def is_free(licence):
    """Whether a licence in words, several of them joined by commas or `and`, lets everybody pass on what is under it.

    >>> is_free("CC-BY-SA-4.0 (drawings), BSD-3-Clause and Unicode licence (names), MIT (keywords)")
    True
    >>> is_free("other (LLaMA's own, non-commercial)"), is_free("CC-BY-NC-4.0"), is_free("")
    (False, False, False)
    """
    parts = re.split(r",(?![^(]*\))| and ", licence)
    return all(FREE.fullmatch(re.sub(r"\(.*?\)", "", part).strip()) for part in parts)


def forbids(name, licences, accepted=()):
    """Why a file of features may not be passed on, or "": what its model's, or its data set's, licence says.

    name: results/features/DATASET/MODEL.safetensors. licences: of the run, see `licences_of`. accepted: names of models and data
    sets whose licence the publisher has read, and which allows it.
    """
    dataset, model = name.split("/")[2], name.split("/")[3].removesuffix(".safetensors")
    for kind, of in (("model", model), ("data set", dataset)):
        licence = licences.get((kind, of), "not stated")
        if of not in accepted and not is_free(licence):
            return f"the {kind} `{of}` is under `{licence}`"
    return ""
