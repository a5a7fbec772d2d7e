"""Densely Captioned Images (Urbanek et al. 2024, arXiv:2312.08578): a folder of the user's, as its own script lays it out.

complete/KEY.json has what people wrote of a picture: `short_caption`, `extra_caption`, and in `mask_data` a `label` and a `caption`
for each of its parts. photos/ has the pictures, which are SA-1B's and come under a licence that is accepted by hand.
"""

import json
from collections import Counter
from pathlib import Path

from prh.errors import InputError, check_readable
from prh.job import progress
from prh.sources.classes import some_of
from prh.sources.datasets import write_dataset
from prh.sources.images import counted, store_image

POOR, UNUSABLE = (
    1,
    2,
)  # values of mask_quality: of the first only the label says something, of the second nothing


def make(row, wheels, seed, folder):
    """Take pictures with all that was written of each, perhaps of one split.

    row.size: so many, drawn with `seed`; None takes all.
    Raises `InputError` for what is missing, a description that cannot be read, and too few of them.
    """
    source = Path(row.path).expanduser()
    keys = _keys(source, row.split)
    if row.size and row.size > len(keys):
        raise InputError(f"{source}: {row.size} pictures asked for, it has {len(keys)}; lower `size`")
    (Path(folder) / "images").mkdir(parents=True)
    rows, done = [], Counter()
    for number in progress(some_of(len(keys), row.size, seed), "copying images", unit="image"):
        path = source / "complete" / keys[number]
        image, text = _entry(path)
        photo, ending = source / "photos" / image, Path(image).suffix[1:].lower()
        name = store_image(photo, folder, f"{number:06d}", done, ending=ending)
        rows.append((f"{number:06d}", name, text, keys[number]))
    about = {"kind": "dci", "seed": seed, "images": counted(done)}
    write_dataset(folder, rows, **about)


def _keys(source, split):
    """Names of the descriptions, sorted."""
    there = sorted(path.name for path in (source / "complete").glob("*.json"))
    if not there:
        raise InputError(
            f"{source}: no descriptions in complete/; see docs/paper.md for how to get them, or correct `path`"
        )
    if not split:
        return there
    try:
        splits = json.loads((source / "splits.json").read_text(encoding="utf-8"))
        chosen = set(splits[split])
    except (OSError, ValueError) as error:
        raise InputError(
            f"{source / 'splits.json'}: cannot be read ({error}); leave `split` empty for all"
        ) from None
    except (KeyError, TypeError):
        raise InputError(
            f"{source / 'splits.json'}: has no split `{split}`; correct it, or leave it empty"
        ) from None
    return [name for name in there if name in chosen]


def _entry(path):
    """The picture's file name, and the whole description."""
    check_readable(path)
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        return entry["image"], describe(entry)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a description of DCI ({error!r}); get it again") from None


def describe(entry):
    """All that was written of a picture: the short caption, what is added, then each of its parts, a line each."""
    lines = [entry["short_caption"], entry["extra_caption"]]
    for part in entry["mask_data"].values():
        if part["mask_quality"] == UNUSABLE:
            continue
        lines.append(part["label"] if part["mask_quality"] == POOR else f"{part['label']}: {part['caption']}")
    return "\n".join(line.strip() for line in lines if line.strip())
