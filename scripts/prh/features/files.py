"""Features that others have computed: files of arrays, read as the layers of one model."""

import json
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from prh.errors import InputError, check_readable
from prh.features.layers import FORMAT, read_features
from prh.features.tensors import KEY

OFFICIAL_KEY = "feats"  # of the files that the official code of Huh et al. 2024 writes
DAMAGED = (OSError, ValueError, EOFError, RuntimeError, KeyError, zipfile.BadZipFile, SafetensorError)
DAMAGED += (pickle.UnpicklingError,)


def read_any_features(path):
    """The layers of a feature file, in order: a list of tensors (n, d_l) of any floating type.

    path: a .safetensors file, of this project or any other, .npz, .npy, or .pt. It holds an array (n, d) per layer, ordered by
    name with numbers by their value, or one array (n, layers, d); a .pt file as well a list of them, or a mapping with the
    key `feats`, which then is what counts, as the official code writes. Nothing is unpickled but tensors.
    Raises `InputError`, naming the file, for what is missing, damaged, of another kind or shape, no floating-point number, not
    finite.

    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/model.npy", np.ones((5, 3, 2)))
    ...     [tuple(layer.shape) for layer in read_any_features(f"{folder}/model.npy")]
    [(5, 2), (5, 2), (5, 2)]
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: no feature file; give one of {', '.join(READERS)}")
    check_readable(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        arrays = reader(path)
    except InputError:
        raise
    except DAMAGED:
        raise InputError(
            f"{path}: cannot be read as a {path.suffix} file of arrays; it is damaged, or holds objects"
        ) from None
    return _layers(path, arrays)


def _layers(path, arrays):
    if not arrays:
        raise InputError(f"{path}: holds no array; features are (n, d) for each layer, or (n, layers, d)")
    for name, value in arrays.items():
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            kind = str(value.dtype) if isinstance(value, torch.Tensor) else type(value).__name__
            raise InputError(f"{path}: `{name}` is {kind}; features must be floating-point numbers")
        if value.ndim != (3 if len(arrays) == 1 and value.ndim == 3 else 2) or 0 in value.shape:
            raise InputError(
                f"{path}: `{name}` has the shape {tuple(value.shape)}; features are (n, d) for each layer, or one array (n, layers, d)"
            )
    layers = [
        layer for value in arrays.values() for layer in (value.unbind(1) if value.ndim == 3 else [value])
    ]
    for number, layer in enumerate(layers):
        if len(layer) != len(layers[0]):
            raise InputError(
                f"{path}: layer {number} has {len(layer)} rows, layer 0 has {len(layers[0])}; each needs the same items"
            )
        bad = ~torch.isfinite(layer).all(dim=1)
        if bad.any():
            row = int(bad.nonzero()[0])
            raise InputError(f"{path}: layer {number}, row {row}: NaN or infinity; make the features anew")
    return layers


def _by_number(names):
    """Names in the order of their text and of the numbers in it: layer_2 before layer_10."""
    return sorted(names, key=lambda name: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)])


def _safetensors(path):
    with safe_open(str(path), framework="pt") as file:
        found = json.loads((file.metadata() or {}).get(KEY, "{}")).get("format", FORMAT)
        if found == FORMAT and KEY in (file.metadata() or {}):
            layers, _, _ = read_features(path)
            return dict(enumerate(layers))
        if found != FORMAT:
            raise InputError(f"{path}: a {found} file, no features; give the file of features")
        return {name: file.get_tensor(name) for name in _by_number(file.keys())}


def _npz(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: _tensor(file[name]) for name in _by_number(file.files)}


def _npy(path):
    return {"array": _tensor(np.load(path, allow_pickle=False))}


def _pt(path):
    found = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(found, dict) and OFFICIAL_KEY in found:
        found = found[OFFICIAL_KEY]
    if isinstance(found, dict):
        return {str(name): found[name] for name in _by_number(map(str, found)) if name in found}
    return dict(enumerate(found)) if isinstance(found, list | tuple) else {OFFICIAL_KEY: found}


def _tensor(array):
    """A tensor, or the array itself where its type has none: text, for one."""
    if array.dtype.kind not in "fiub":
        return array.dtype
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(np.ascontiguousarray(native))


READERS = {".safetensors": _safetensors, ".npz": _npz, ".npy": _npy, ".pt": _pt}
