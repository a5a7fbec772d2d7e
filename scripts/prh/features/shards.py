"""Features of a large data set in shards of its items: merged into one file, layer by layer, without holding any of them."""

import json
from pathlib import Path
from typing import NamedTuple

from prh.errors import InputError, damaged
from prh.features.layers import FORMAT
from prh.features.tensors import KEY

ADDED = ("captions_cut",)  # what feature files say that is a sum over items
PIECE = 2**24  # bytes that are copied at a time


class Head(NamedTuple):
    """What the head of a safetensors file says: its tensors' type, shape and place in the file; its metadata."""

    path: Path
    tensors: dict
    begin: int
    metadata: dict


def merge(paths, target):
    """Write the features of all shards, in the order of their items, to `target`: the bytes that the whole would have.

    Raises `InputError`, naming the shard, for one that is damaged, of another model, data set or form, or not the next one.
    """
    heads = [read_head(path) for path in paths]
    metadata, shapes = _together(heads)
    with Path(target).open("wb") as out:
        out.write(_head(metadata, shapes))
        for name in shapes:
            for head in heads:
                _copy(head, name, out)


def read_head(path):
    """The `Head` of a shard. Raises `InputError` if it is damaged or something else."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            found = json.loads(file.read(min(length, path.stat().st_size)))
        metadata = json.loads(found.pop("__metadata__")[KEY])
        end = 8 + length + max(facts["data_offsets"][1] for facts in found.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, error, format=FORMAT) from None
    if metadata.pop("format", None) != FORMAT or "begin" not in metadata:
        raise InputError(f"{path}: not a shard of features; remove it to have it made again")
    if path.stat().st_size != end:
        raise damaged(path, f"{path.stat().st_size} bytes, not {end}", format=FORMAT)
    return Head(path, dict(sorted(found.items())), 8 + length, metadata)


def _together(heads):
    """What the merged file says: its metadata, and (type, shape) of each tensor."""
    first, place = heads[0], 0
    for head in heads:
        rows = next(iter(head.tensors.values()))["shape"][0]
        if head.metadata["begin"] != place:
            raise InputError(
                f"{head.path}: begins with item {head.metadata['begin']}, not {place}; remove it to have it made again"
            )
        if _form(head) != _form(first) or any(facts["shape"][0] != rows for facts in head.tensors.values()):
            raise InputError(
                f"{head.path}: is not of the same model, data set or layers as {first.path}; remove both to have them made again"
            )
        place += rows
    if place != first.metadata["pairs"]:
        raise InputError(
            f"{head.path}: ends with item {place - 1} of {first.metadata['pairs']}; a shard is missing"
        )
    added = {key: sum(head.metadata[key] for head in heads) for key in ADDED if key in first.metadata}
    metadata = {key: value for key, value in first.metadata.items() if key != "begin"} | added
    shapes = {name: (facts["dtype"], [place, *facts["shape"][1:]]) for name, facts in first.tensors.items()}
    return metadata, shapes


def _form(head):
    """What all shards have in common."""
    facts = {key: value for key, value in head.metadata.items() if key not in ("begin", *ADDED)}
    return facts, {name: (tensor["dtype"], tensor["shape"][1:]) for name, tensor in head.tensors.items()}


def _head(metadata, shapes):
    """The first bytes of a safetensors file, as its own library writes them: https://github.com/huggingface/safetensors."""
    text = json.dumps({"format": FORMAT, **metadata}, sort_keys=True, ensure_ascii=False)
    found, place = {"__metadata__": {KEY: text}}, 0
    for name, (dtype, shape) in shapes.items():
        end = place + _bytes(dtype, shape)
        found[name] = {"dtype": dtype, "shape": shape, "data_offsets": [place, end]}
        place = end
    head = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head


def _bytes(dtype, shape):
    return shape[0] * shape[1] * int(dtype[1:]) // 8


def _copy(head, name, out):
    """Append the bytes of a tensor of a shard to an open file."""
    begin, end = head.tensors[name]["data_offsets"]
    left = end - begin
    with head.path.open("rb") as file:
        file.seek(head.begin + begin)
        while left:
            piece = file.read(min(PIECE, left))
            if not piece:
                raise damaged(head.path, "it has become shorter")
            out.write(piece)
            left -= len(piece)
