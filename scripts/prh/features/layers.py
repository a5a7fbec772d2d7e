"""The feature cache: one safetensors file per data set and model, one float32 tensor (n, d) per layer."""

from pathlib import Path

import torch

from prh.errors import InputError
from prh.features.tensors import read_tensors, write_tensors
from prh.provenance import MANIFEST, file_digest, read_manifest

FORMAT = "prh-features 1"


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


def write_features(path, layers, metadata):
    """Write layers (name -> (n, d) float32, in order); the tensors are named `000.<name>`, `001.<name>`, ..."""
    write_tensors(
        path, {f"{i:03d}.{name}": values for i, (name, values) in enumerate(layers.items())}, FORMAT, metadata
    )


def read_features(path):
    """Layers of a feature file, in order: (list of tensors (n, d), list of layer names, metadata).

    Raises `InputError` if the file is damaged or something else.
    """
    tensors, metadata = read_tensors(path, FORMAT)
    return list(tensors.values()), [name.split(".", 1)[1] for name in tensors], metadata


def check_layers(layers, row):
    """Raise `InputError` unless there are as many layers, and the last as wide, as the model's row says, where it does."""
    width = list(layers.values())[-1].shape[1]
    for column, found in (("layers", len(layers)), ("width", width)):
        if row[column] not in (None, found):
            raise InputError(
                f"model table, row `{row['name']}`: {column} is {row[column]}, but the model has {found}"
            )


def describe(row, model, dataset=None):
    """Metadata of a feature file: model, revision, digests of what it was made from, number of pairs of the data set, if there is one."""
    manifests = {"model_sha256": model} | ({"dataset_sha256": dataset} if dataset else {})
    digests = {key: file_digest(Path(folder) / MANIFEST) for key, folder in manifests.items()}
    names = {"model": row["name"], "revision": row["revision"]}
    pairs = {"pairs": read_manifest(dataset)["pairs"]} if dataset else {}
    return {**names, **pairs, **digests}
