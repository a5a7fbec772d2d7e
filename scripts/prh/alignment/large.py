"""Neighbours of many samples: exact, for some rows at a time, with one layer in memory.

A job takes rows `first` ... `last` of a data set and ranks all its samples for each of them, by the same c_i . c_j + h_j as
`prh.alignment.neighbors`. Columns come in blocks, in order, and only what beats a row's k-th nearest so far is looked at. Memory
holds a layer twice (as it is, and centred), a block of products, and the table of the rows.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from prh.alignment.largest import largest, split, with_further
from prh.alignment.neighbors import check_k, ranked_by
from prh.alignment.preprocess import QUANTILE, check_layer, clamped_units
from prh.alignment.preprocess import sampled_threshold as of_layers
from prh.errors import InputError
from prh.features.layers import FORMAT as FEATURES
from prh.features.tensors import opened, read_tensors, write_tensors

FORMAT = "prh-neighbor-rows 1"
ROWS, COLUMNS = 1024, 4096  # of a block of products: 16 MiB
HALF = 16  # bits of a float32 by which the clamp's threshold is found first
PIECE = 2**22  # values looked at together for it


class StoredLayers:
    """The raw layers of a feature file, each read when it is asked for: [i] is (n, d) float32."""

    def __init__(self, path):
        self.path = str(path)
        with opened(self.path, FEATURES) as (file, self.metadata):
            self.keys = sorted(file.keys())
            self.n = file.get_slice(self.keys[0]).get_shape()[0] if self.keys else 0
        if not self.keys:
            raise InputError(f"{path}: not a {FEATURES} file; make the features anew")

    def __len__(self):
        """The number of layers."""
        return len(self.keys)

    def __getitem__(self, number):
        """A layer, checked: finite, of as many rows as the others."""
        with opened(self.path, FEATURES) as (file, _):
            return check_layer(file.get_tensor(self.keys[number]), number, self.n)

    @property
    def names(self):
        """The layers' names, in order."""
        return [key.split(".", 1)[1] for key in self.keys]


def prepared(layers, clamp: str | None, concatenate: bool, device: str = "cpu") -> Iterator[Tensor]:
    """The layers one after the other, as `preprocess.prepare` makes them; the concatenation, where asked for, holds all of them."""
    bound = None if clamp is None else (exact_threshold if clamp == "exact" else sampled_threshold)(layers)
    return clamped_units(layers, bound, concatenate, device)


def exact_threshold(layers, quantile: float = QUANTILE) -> float:
    """As `preprocess.exact_threshold`, with one layer in memory: counts of the upper bits of |x|, then of the lower ones in their bin."""
    left, upper = None, 0
    for part in ("upper", "lower"):
        counts, total = torch.zeros(2**HALF, dtype=torch.int64), 0
        for number in range(len(layers)):
            for piece in layers[number].flatten().split(PIECE):
                bits = piece.abs().view(torch.int32)
                total += len(bits)
                if part == "upper":
                    counts += torch.bincount(bits >> HALF, minlength=len(counts))
                else:
                    bits = bits[bits >> HALF == upper]
                    counts += torch.bincount(bits & (2**HALF - 1), minlength=len(counts))
        left = int(quantile * total) if left is None else left
        ends = counts.cumsum(0)
        found = int(torch.searchsorted(ends, left, right=True))
        left -= int(ends[found] - counts[found])
        upper, lower = (found, 0) if part == "upper" else (upper, found)
    return float(torch.tensor([(upper << HALF) + lower], dtype=torch.int32).view(torch.float32))


def sampled_threshold(layers, quantile: float = QUANTILE) -> float:
    """As `preprocess.sampled_threshold`, of some rows of all layers at a time."""
    rows, sums = max(1, 2**26 // sum(layers[i].shape[1] for i in range(len(layers)))), 0.0
    for first in range(0, layers.n, rows):
        some = [layers[i][first : first + rows] for i in range(len(layers))]
        sums += of_layers(some, quantile) * len(some[0])
    return sums / layers.n


def neighbors_of_rows(x: Tensor, first: int, last: int, k: int) -> Tensor:
    """The k nearest neighbours, among all rows of x (n, d), of its rows first ... last - 1: (last - first, k) int32.

    As `neighbors.nearest_neighbors`. Raises InputError if n < k + 2.
    """
    check_k(k, len(x))
    if not 0 <= first < last <= len(x):
        raise InputError(
            f"{len(x)} samples, neighbours of those from {first} to {last} asked for; make the features anew"
        )
    x, h = ranked_by(x)[:2]
    found = [_nearest(x, h, rows, k) for rows in _slices(first, last, ROWS)]
    return torch.cat(found).to("cpu", torch.int32)


def _slices(first, last, step):
    return [slice(start, min(start + step, last)) for start in range(first, last, step)]


def _nearest(x: Tensor, h: Tensor, rows: slice, k: int) -> Tensor:
    count, found = rows.stop - rows.start, None
    held = x.new_empty(count * min(COLUMNS, len(x)))
    for columns in _slices(0, len(x), COLUMNS):
        products = held[: count * (columns.stop - columns.start)].view(count, -1)
        torch.addmm(h[columns], x[rows], x[columns].T, out=products)
        low, high = max(rows.start, columns.start), min(rows.stop, columns.stop)
        own = torch.arange(low, max(low, high), device=x.device)
        products[own - rows.start, own - columns.start] = -torch.inf
        found = largest(products, k) if found is None else with_further(found, products, columns.start)
    return split(found)[1]


def write_rows(path: str | Path, ids: Tensor, metadata: dict) -> None:
    """Write the neighbours (layers, rows, k) int32 of some rows; metadata says which: `first`, of `n`."""
    write_tensors(path, {"neighbors": ids}, FORMAT, metadata)


def read_rows(path: str | Path) -> tuple[Tensor, dict]:
    """What `write_rows` wrote. Raises InputError, naming the file, where it is missing, damaged, or something else."""
    tensors, metadata = read_tensors(path, FORMAT)
    ids = tensors.get("neighbors", torch.empty(0))
    if ids.ndim != 3 or ids.dtype != torch.int32 or 0 in ids.shape:
        raise InputError(f"{path}: neighbours must be (layers, rows, k) int32; make it anew")
    if int(ids.min()) < 0 or int(ids.max()) >= metadata["n"]:
        raise InputError(f"{path}: neighbour ids outside 0 ... {metadata['n'] - 1}; make it anew")
    return ids, metadata


def join_rows(paths: list[str]) -> tuple[Tensor, dict]:
    """The neighbour table (layers, n, k) of files that hold all rows, in order, and its metadata: model and layers.

    Raises InputError where rows are missing, or files are of different tables.
    """
    table, filled, known = None, 0, None
    for path in paths:
        ids, metadata = read_rows(path)
        first, n = metadata.pop("first"), metadata.pop("n")
        if table is None:
            table, known = ids.new_empty(ids.shape[0], n, ids.shape[2]), metadata
        alike = metadata == known and (ids.shape[0], n, ids.shape[2]) == tuple(table.shape)
        if not alike or first != filled or first + ids.shape[1] > n:
            raise InputError(f"{path}: holds other rows than those that follow; make it anew")
        table[:, first : first + ids.shape[1]] = ids
        filled += ids.shape[1]
    if filled != table.shape[1]:
        raise InputError(f"{paths[-1]}: rows from {filled} on are missing; make them anew")
    return table, known
