"""Checks of what a run starts from: wheels, data sets, texts, models. See `artifacts`."""

import json
import re
import zipfile
from pathlib import Path

import pandas as pd
import torch
from PIL import Image
from safetensors import safe_open

from prh.provenance import MANIFEST, read_manifest, tree_files
from prh.sources.caption_levels import OWN, SUMMARIES, is_control, read_levels
from prh.sources.datasets import ALL, COLUMNS
from prh.sources.images import AS_IT_IS, shown
from prh.sources.registry import AT_MOST

COMMIT = re.compile(r"[0-9a-f]{40}")
INDEX = "model.safetensors.index.json"


def package(run, artifact):
    """The pinned wheel."""
    pinned = run.params(artifact)["package"]
    if run.sha256(artifact) != pinned["sha256"]:
        yield f"is not the wheel that was pinned ({pinned['package']}=={pinned['version']})"
    if not zipfile.is_zipfile(run.path(artifact)):
        yield "is not a wheel"


def dataset(run, artifact):
    """As many pairs as asked for, each with an id of its own, a caption, and an image that can be read."""
    folder, row = run.path(artifact), run.params(artifact)["row"]
    manifest = read_manifest(folder)
    yield from _folder(folder)
    yield from _from_the_hub(manifest, row)
    table = pd.read_parquet(folder / "captions.parquet")
    several = manifest.get("captions") == "mean"
    if list(table.columns) != [*COLUMNS, *([ALL] if several else [])]:
        yield f"captions.parquet has the columns {', '.join(table.columns)}"
        return
    if not {Path(name).name for name in manifest.get("parquet", {})}.issuperset(
        table.source if "parquet" in manifest else ()
    ):
        yield "captions.parquet has pairs of a file that was not fetched"
    if len(table) != manifest["pairs"]:
        yield f"captions.parquet has {len(table)} pairs, the manifest says {manifest['pairs']}"
    enough = (
        len(table) <= row["size"] if row["size"] and row["source"] in AT_MOST else len(table) == row["size"]
    )
    if several and not all(
        len(texts) and texts[0] == own for texts, own in zip(table[ALL], table.caption, strict=True)
    ):
        yield "captions.parquet: a caption is not the first of all of its item"
    if row["size"] and not enough:
        yield f"has {len(table)} pairs, its row asks for {row['size']}"
    if not table.id.is_unique:
        yield f"captions.parquet: id `{table.id[table.id.duplicated()].iloc[0]}` stands twice"
    for row in table.itertuples():
        if not row.caption.strip():
            yield f"captions.parquet: the caption of {row.id} is empty"
        try:
            with Image.open(folder / row.image) as image:
                image.load()
                changes = sorted({*shown(image)[1]} - AS_IT_IS)
        except (OSError, SyntaxError, ValueError) as error:
            yield f"{row.image}: not a readable image ({error})"
        else:
            if changes:
                yield f"{row.image}: not stored as a viewer shows it, which asks for: {', '.join(changes)}"


def caption_levels(run, artifact):
    """The same items at each level; captions that begin with those of the level before, or are the summaries."""
    table, before = read_levels(run.path(artifact)), None
    groups = {level: group.set_index("item").caption for level, group in table.groupby("level", sort=False)}
    items = next(iter(groups.values())).index
    if not items.is_unique or (table.words != table.caption.str.split().str.len()).any():
        yield "an item stands twice at a level, or words are not those of the caption"
    for level, captions in groups.items():
        if not captions.index.equals(items):
            yield f"level `{level}` is not of the same items as the others"
        elif before is not None and OWN in groups and level != OWN:
            begun = groups[next(iter(groups))] if is_control(level) else before
            bad = [item for item in items if not captions[item].startswith(begun[item])]
            if bad:
                yield f"level `{level}`, item {bad[0]}: `{captions[bad[0]]}` does not begin with `{begun[bad[0]]}`"
        before = captions
    for source in run.inputs(artifact):
        if run.kind(source) == "dataset" and run.is_intact(source):
            there = pd.read_parquet(run.path(source) / "captions.parquet").caption
            if OWN in groups and not groups[OWN].equals(there.iloc[items].set_axis(items)):
                yield f"level `{OWN}` has other captions than {source}"
        if run.kind(source) == "summaries" and run.is_intact(source):
            summaries = pd.read_parquet(run.path(source))
            mine = [groups.get(f"{row.asked} words", {}).get(row.item) for row in summaries.itertuples()]
            if mine != summaries.summary.tolist():
                yield f"its captions are not those of {source}"


def summaries(run, artifact):
    """A summary for each item and number of words, in one line, with its own number of words; more words where more were asked for."""
    table, params = pd.read_parquet(run.path(artifact)), run.params(artifact)
    if list(table.columns) != SUMMARIES or table.duplicated(["item", "asked"]).any():
        yield f"its columns are not {', '.join(SUMMARIES)}, or an item stands twice"
        return
    if table.asked.drop_duplicates().tolist() != params["levels"]:
        yield "has other numbers of words than were asked for"
    if (table.words != table.summary.str.split().str.len()).any() or table.summary.str.contains("\n").any():
        yield "words are not those of the summary, or a summary has several lines"


def model(run, artifact):
    """What its row asks for, all of its weights, and all of them finite."""
    folder, row = run.path(artifact), run.params(artifact)["row"]
    manifest = read_manifest(folder)
    yield from _folder(folder)
    yield from _from_the_hub(manifest, row)
    other = [column for column in row if manifest.get(column) != row[column]]
    if other:
        yield f"{MANIFEST} says {other[0]} is {manifest.get(other[0])}, the rule asked for {row[other[0]]}"
    weights = sorted(folder.rglob("*.safetensors"))
    if not weights and not list(folder.glob("*.onnx")):
        yield "has no weights"
    held = set()
    for path in weights:
        with safe_open(path, framework="pt") as file:
            for name in sorted(file.keys()):
                held.add((path.name, name))
                values = file.get_tensor(name)
                if values.is_floating_point() and not torch.isfinite(values).all():
                    yield f"{path.relative_to(folder)}: {name} has NaN or infinity"
    if (folder / INDEX).is_file():
        listed = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
        lost = sorted({(shard, name) for name, shard in listed.items()} - held)
        yield from (f"{name} is not in {shard}, where {INDEX} has it" for shard, name in lost[:3])


def _folder(folder):
    """The files of a folder are those of its manifest. Digests are the audit's own matter."""
    listed, found = set(read_manifest(folder)["files"]), {*tree_files(folder)} - {MANIFEST}
    yield from (f"{name}: in the manifest, but not there" for name in sorted(listed - found))
    yield from (f"{name}: there, but not in the manifest" for name in sorted(found - listed))


def _from_the_hub(manifest, row):
    """It comes from the repository of its row, or from its mirror, at a commit: the pinned one where the row has one."""
    if not row.get("repo"):
        return
    mirror = (row.get("mirror") or "").partition("@")[0]
    if manifest["repo"] not in (row["repo"], mirror):
        yield f"comes from {manifest['repo']}, its row asks for {row['repo']}"
    if not COMMIT.fullmatch(manifest["commit"]):
        yield f"{MANIFEST} has `{manifest['commit']}` for a commit"
    elif (
        manifest["repo"] == row["repo"]
        and COMMIT.fullmatch(row["revision"])
        and row["revision"] != manifest["commit"]
    ):
        yield f"is commit {manifest['commit']}, its row pins {row['revision']}"


def corpus(run, artifact):
    """As much text as its row asks for."""
    size = len(run.path(artifact).read_text(encoding="utf-8").encode())
    row = run.params(artifact)["row"]
    if size < (row["bytes"] or 0):
        yield f"has {size} bytes, the corpus table asks for {row['bytes']}"
    if size < (row.get("tokens") or 0):  # a token has at least a byte
        yield f"has {size} bytes, too few for the {row['tokens']} tokens that the corpus table asks for"
