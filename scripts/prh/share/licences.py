"""What may be passed on: licences as the tables have them, in words, and which of them let others have what was made with them."""

import re

# Licences that let whoever has a work pass it on, changed or not, for any purpose. What is not named here is not passed on: of a
# licence of somebody's own, or one that asks to be accepted, its reader decides.
FREE = re.compile(
    r"(apache(-| )2\.0|mit|isc|bsd(-[23]-clause)?|cc0(-1\.0)?|cc[- ]by([- ]sa)?([- ][1-4]\.0)?|public domain"
    r"|unicode licence( v3)?|unlicense|made by the run)",
    re.IGNORECASE,
)


def licences_of(records):
    """(what, licence) of all that a run fetched, by its records, sorted: rows of tables, by their names, and packages."""
    found = set()
    for record in records:
        params = record["parameters"]
        for row in [params.get("row"), params.get("package"), *(params.get("rows") or {}).values()]:
            if isinstance(row, dict) and row.get("licence"):
                found.add((row.get("content") or row.get("name") or row.get("package") or "", row["licence"]))
    return sorted(found)


def is_free(licence):
    """Whether a licence in words, several of them joined by commas or `and`, lets everybody pass on what is under it.

    >>> is_free("CC-BY-SA-4.0 (drawings), BSD-3-Clause and Unicode licence (names), MIT (keywords)")
    True
    >>> is_free("other (LLaMA's own, non-commercial)"), is_free("CC-BY-NC-4.0"), is_free("")
    (False, False, False)
    """
    parts = re.split(r",(?![^(]*\))| and ", licence)
    return all(FREE.fullmatch(re.sub(r"\(.*?\)", "", part).strip()) for part in parts)


def forbids(name, records, accepted=()):
    """Why a file of features may not be passed on, or "": what its model's, or its data set's, licence says.

    name: results/features/DATASET/MODEL.safetensors. records: of the run, by the artifact. accepted: names of models and data sets
    whose licence the publisher has read, and which allows it.
    """
    dataset, model = name.split("/")[2], name.split("/")[3].removesuffix(".safetensors")
    for kind, of, artifact in (
        ("model", model, f"results/models/{model}"),
        ("data set", dataset, f"results/data/{dataset}"),
    ):
        record = records.get(artifact)
        params = record["parameters"] if record else {}
        row = (params.get("rows") or {}).get(of) or params.get("row") or {}
        licence = row.get("licence") or "not stated"
        if of not in accepted and not is_free(licence):
            return f"the {kind} `{of}` is under `{licence}`"
    return ""
