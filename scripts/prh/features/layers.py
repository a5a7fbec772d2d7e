"""The feature cache: one safetensors file per data set and model, one tensor (n, d) per layer, float32, or float16 on request."""

from pathlib import Path

import torch

from prh.errors import InputError
from prh.features.tensors import opened, read_tensors, write_tensors
from prh.provenance import MANIFEST, file_digest, read_manifest

FORMAT = "prh-features 1"
STORED = {"float32": "F32", "float16": "F16"}  # what `features.store` may say, as safetensors calls it


class LayerCollector:
    """Gathers pooled batches, per layer, in any order of the items: memory holds pooled features only.

    `add` takes the items' positions and, by layer name, tensors (batch, d); names must come in the same order each time.
    """

    def __init__(self, n):
        self.n = n
        self.layers = {}
        self.seen = torch.zeros(n, dtype=torch.bool)

    def add(self, positions, pooled):
        """Put the rows of each layer's tensor (len(positions), d) at `positions`."""
        for name, values in pooled.items():
            if name not in self.layers:
                self.layers[name] = torch.empty(self.n, values.shape[1], dtype=torch.float32)
            self.layers[name][positions] = values.float().cpu()
        self.seen[positions] = True

    def finished(self):
        """The layers by name, in order. Raises `InputError` if an item is missing or a value is not finite."""
        if not self.seen.all():
            raise InputError(f"features of item {int((~self.seen).nonzero()[0])} are missing")
        for name, values in self.layers.items():
            bad = ~torch.isfinite(values).all(dim=1)
            if bad.any():
                raise InputError(
                    f"layer {name}: item {int(bad.nonzero()[0])} has NaN or infinity; check the weights"
                )
        return self.layers


def write_features(path, layers, metadata, store="float32"):
    """Write layers (name -> (n, d) float32, in order); the tensors are named `000.<name>`, `001.<name>`, ...

    store: the type on disk; "float16" halves the file and rounds each value to 11 bits, which the metadata say.
    Raises `InputError` for a value that is too large for it.
    """
    if store != "float32":
        layers = {name: _rounded(name, values, store) for name, values in layers.items()}
        metadata = {**metadata, "store": store}
    write_tensors(
        path, {f"{i:03d}.{name}": values for i, (name, values) in enumerate(layers.items())}, FORMAT, metadata
    )


def _rounded(name, values, store):
    found = values.to(getattr(torch, store))
    bad = ~torch.isfinite(found).all(dim=1)
    if bad.any():
        item = int(bad.nonzero()[0])
        raise InputError(
            f"layer {name}: item {item} has a value of {float(values[item].abs().max()):.0f}, {store} ends at "
            f"{torch.finfo(found.dtype).max:.0f}; set `features.store` to float32"
        )
    return found


def read_features(path):
    """Layers of a feature file, in order: (list of tensors (n, d) float32, list of layer names, metadata).

    Raises `InputError` if the file is damaged or something else.
    """
    tensors, metadata = read_tensors(path, FORMAT)
    return (
        [values.float() for values in tensors.values()],
        [name.split(".", 1)[1] for name in tensors],
        metadata,
    )


def read_metadata(path):
    """The metadata of a feature file; no layer is read."""
    with opened(path, FORMAT) as (_, metadata):
        return metadata


def read_rows(path, rows):
    """Some rows of each layer, in order: ([(len(rows), d) float32], layer names); no others are read."""
    found = {}
    with opened(path, FORMAT) as (file, _):
        for name in sorted(file.keys()):
            layer = file.get_slice(name)
            found[name.split(".", 1)[1]] = torch.cat([layer[row : row + 1] for row in rows]).float()
    return list(found.values()), list(found)


def each_layer(path):
    """Name, type as safetensors calls it, and values of each layer as stored, in order, one at a time in memory."""
    with opened(path, FORMAT) as (file, _):
        for name in sorted(file.keys()):
            yield name.split(".", 1)[1], file.get_slice(name).get_dtype(), file.get_tensor(name)


def check_layers(layers, row):
    """Raise `InputError` unless there are as many layers, and the last as wide, as the model's row says, where it does."""
    width = list(layers.values())[-1].shape[1]
    for column, found in (("layers", len(layers)), ("width", width)):
        if row[column] not in (None, found):
            raise InputError(
                f"model table, row `{row['name']}`: {column} is {row[column]}, but the model has {found}"
            )


def describe(row, model, dataset=None, begin=None):
    """Metadata of a feature file: model, revision, digests of what it was made from; pairs of the data set, if there is one; of a shard its first pair."""
    manifests = {"model_sha256": model} | ({"dataset_sha256": dataset} if dataset else {})
    digests = {key: file_digest(Path(folder) / MANIFEST) for key, folder in manifests.items()}
    names = {"model": row["name"], "revision": row["revision"]}
    pairs = {"pairs": read_manifest(dataset)["pairs"]} if dataset else {}
    return {**names, **pairs, **digests, **({} if begin is None else {"begin": begin})}
