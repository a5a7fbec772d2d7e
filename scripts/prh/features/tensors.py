"""Tensors on disk: safetensors files that say what they are."""

import json
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from prh.errors import InputError, damaged

KEY = "prh"  # one key, because safetensors writes several in an order that differs from run to run


def write_tensors(path, tensors, format, metadata):
    """Write named tensors and a mapping of metadata; the same content gives the same bytes."""
    text = json.dumps({"format": format, **metadata}, sort_keys=True, ensure_ascii=False)
    save_file({name: value.contiguous() for name, value in tensors.items()}, Path(path), metadata={KEY: text})


def read_tensors(path, format):
    """Tensors by name, sorted, and the metadata of a file that `write_tensors` made with this `format`.

    Raises `InputError`, naming the file, where it is missing, damaged or something else.
    """
    with opened(path, format) as (file, metadata):
        return {name: file.get_tensor(name) for name in sorted(file.keys())}, metadata


@contextmanager
def opened(path, format):
    """Such a file, opened by safetensors, and its metadata: for who reads tensors one by one, or some of their rows."""
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(KEY, "{}"))
            found = metadata.pop("format", "none")
            if found != format:
                raise InputError(f"{path}: not a {format} file (its format: {found})")
            yield file, metadata
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise damaged(path, error, format=format) from None
