"""Neighbours of many samples: exact, by parts of the samples that are jobs of their own, with one layer in memory.

The job of a part compares its samples with each other and with those of half of the other parts, so that each two parts meet in one
job, and each product serves both sides. It keeps candidates: the k nearest, by the same c_i . c_j + h_j as `prh.alignment.neighbors`,
of those that a sample was compared with there. The nearest of a sample's candidates in all jobs are its neighbours. Memory holds
a layer twice (as it is, and centred), a block of products, and the candidates.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from prh.alignment.largest import NOTHING, merged, split
from prh.alignment.neighbors import BLOCK, check_k, compare, ranked_by, slices
from prh.alignment.preprocess import QUANTILE, check_layer, clamped_units
from prh.alignment.preprocess import sampled_threshold as of_layers
from prh.errors import InputError
from prh.features.layers import FORMAT as FEATURES
from prh.features.tensors import opened, read_tensors, write_tensors

FORMAT = "prh-neighbor-candidates 1"
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


def partners(part: int, parts: int) -> list[int]:
    """The parts whose samples the job of a part compares its own with, itself first: each two of all parts meet in one job."""
    half = (parts - 1) // 2 + (parts % 2 == 0 and part < parts // 2)
    return [(part + step) % parts for step in range(half + 1)]


def candidates(x: Tensor, part: int, size: int, k: int) -> dict[int, Tensor]:
    """By part of x (n, d), what the job of one part of `size` samples finds for those of its partners: (samples, k) int64, as `largest` gives it.

    Raises InputError if n < k + 2, or x has no such part.
    """
    check_k(k, len(x))
    parts = slices(0, len(x), size)
    if not 0 <= part < len(parts):
        raise InputError(f"{len(x)} samples have no part {part} of {size} each; make the features anew")
    x, h = ranked_by(x)[:2]
    blocks = {
        other: slices(parts[other].start, parts[other].stop, BLOCK) for other in partners(part, len(parts))
    }
    found = {}
    for other, theirs in blocks.items():
        for i, own in enumerate(blocks[part]):
            for block in theirs[: i + 1] if other == part else theirs:
                compare(x, h, own, block, k, found)
    return {
        other: torch.cat([found[each.start] for each in theirs]).cpu() for other, theirs in blocks.items()
    }


def write_candidates(path: str | Path, layers: list[dict[int, Tensor]], metadata: dict) -> None:
    """Write what `candidates` gives for each layer; metadata says of which `part`, of `size` of the `n` samples."""
    tensors = {str(other): torch.stack([layer[other] for layer in layers]) for other in layers[0]}
    write_tensors(path, tensors, FORMAT, metadata)


def read_candidates(path: str | Path) -> tuple[dict[int, Tensor], dict]:
    """What `write_candidates` wrote: by part (layers, samples, k) int64, and the metadata.

    Raises InputError, naming the file, where it is missing, damaged, or something else.
    """
    tensors, metadata = read_tensors(path, FORMAT)
    found = {int(name): tensor for name, tensor in tensors.items()}
    parts = slices(0, metadata["n"], metadata["size"])
    own = found.get(metadata["part"], torch.empty(0))
    if own.ndim != 3 or sorted(found) != sorted(partners(metadata["part"], len(parts))):
        raise InputError(
            f"{path}: holds other parts than the job of part {metadata['part']} makes; make it anew"
        )
    for other, tensor in found.items():
        rows = parts[other].stop - parts[other].start
        if tensor.dtype != torch.int64 or tensor.shape != (len(own), rows, own.shape[2]):
            raise InputError(f"{path}: candidates must be (layers, samples, k) int64; make it anew")
        columns = split(tensor)[1]
        if bool(((columns >= metadata["n"]) & (tensor != NOTHING)).any()):
            raise InputError(f"{path}: neighbour ids outside 0 ... {metadata['n'] - 1}; make it anew")
    return found, metadata


def join_candidates(paths: list[str]) -> tuple[Tensor, dict]:
    """The neighbour table (layers, n, k) int32 of the files of all parts, in order, and its metadata: model and layers.

    Raises InputError where a part is missing, or files are of different tables.
    """
    nearest, known = None, None
    for number, path in enumerate(paths):
        found, metadata = read_candidates(path)
        parts, (layers, _, k) = slices(0, metadata["n"], metadata["size"]), found[metadata["part"]].shape
        if nearest is None:
            nearest, known = torch.full((layers, metadata["n"], k), NOTHING), metadata
        if metadata != known | {"part": number} or (layers, k) != (len(nearest), nearest.shape[2]):
            raise InputError(f"{path}: is not part {number} of what the others are of; make it anew")
        for other, tensor in found.items():
            nearest[:, parts[other]] = merged(nearest[:, parts[other]], tensor)
    if len(paths) != len(parts):
        raise InputError(f"{paths[-1]}: part {len(paths)}, which follows, is missing; make it anew")
    return split(nearest)[1].to(torch.int32), {key: known[key] for key in ("model", "layers")}
