"""Models of the hub, made ready for use without a network: weights as safetensors, checked."""

import json
import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from prh.errors import InputError
from prh.provenance import tree_files
from prh.sources.hub import fetch
from prh.sources.model_files import PICKLED, model_files


def make_ready(row, wheels, seed, folder):
    """Download the row's repository at its pinned revision into `folder`; returns what the manifest says of it."""
    snapshot = fetch(row.repo, row.revision, model_files, what=f"model table, row `{row.name}`")
    Path(folder).mkdir(parents=True)
    place(snapshot.folder, tree_files(snapshot.folder), folder)
    make_safetensors(folder)
    check_weights(folder)
    return {"commit": snapshot.commit, "checksums_verified": snapshot.verified}


def place(source, names, folder):
    """Put files of the folder `source` into `folder`: linked where the file system can, else copied."""
    for path in (Path(source) / name for name in names):
        target = Path(folder) / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path.resolve(), target)
        except OSError:
            shutil.copy(path, target)


def make_safetensors(folder):
    """Turn a folder's pickled weights into safetensors, shard by shard; nothing in them is executed.

    Raises `InputError` if a shard holds more than tensors.
    """
    names = {}
    for path in sorted(p for p in Path(folder).iterdir() if PICKLED.fullmatch(p.name)):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # pickle's errors share no base
            raise InputError(f"{path.name}: not plain weights ({str(error).splitlines()[0]})") from None
        name = path.name.replace("pytorch_model", "model").replace(".bin", ".safetensors")
        tensors = {
            key: value.clone().contiguous() for key, value in state.items()
        }  # shared ones are stored twice
        save_file(tensors, path.with_name(name), metadata={"format": "pt"})
        names |= dict.fromkeys(tensors, name)
        path.unlink()
    index = Path(folder) / "pytorch_model.bin.index.json"
    if index.is_file():
        index.unlink()
        text = json.dumps({"metadata": {}, "weight_map": names}, indent=1, sort_keys=True)
        (Path(folder) / "model.safetensors.index.json").write_text(text)


def check_weights(folder):
    """Raise `InputError` unless every safetensors file opens and every one that the index names is there."""
    folder = Path(folder)
    index = folder / "model.safetensors.index.json"
    wanted = {p.name for p in folder.glob("*.safetensors")}
    if index.is_file():
        wanted |= set(json.loads(index.read_text())["weight_map"].values())
    if not wanted:
        raise InputError(f"{folder.name}: no weights among its files")
    for name in sorted(wanted):
        try:
            with safe_open(str(folder / name), framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            raise InputError(f"{folder.name}: {name} is missing or damaged ({error})") from None
