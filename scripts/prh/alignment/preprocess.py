"""From raw layer features to what every metric takes: clamped, L2-normalised, float32.

The protocol is that of "The Platonic Representation Hypothesis" (Huh et al. 2024, appendix A): elements are
clamped to the 95th percentile of |x|, rows are L2-normalised, and one more compared "layer" is the
concatenation of all layers.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from prh.errors import InputError

QUANTILE = 0.95
SQUARABLE = (1e-12, 1e15)  # lengths whose squares, and those of their small parts, float32 holds
CLAMPS = ("exact", "sampled", None)
CACHED = 2**17  # values that stay in the processor's cache while more than one thing is done with them


def prepare(
    layers: Sequence[Tensor | np.ndarray],
    clamp: str | None = "exact",
    concatenate: bool = False,
    device: str | torch.device = "cpu",
) -> list[Tensor]:
    """Clamp and L2-normalise the layers of one model.

    layers: raw features, one (n, d_l) array per layer; float16, bfloat16, float32 or float64, torch or numpy.
    clamp: "exact", one threshold, the 95th percentile of |x| over all elements of all layers (the official
        `--precise`); "sampled", the mean over samples of each sample's 95th percentile over all its layers
        (the official default); None, no clamp.
    concatenate: append the concatenation of all clamped layers as one more layer, as the paper's text has it.
    Returns the layers as float32 tensors (n, d_l) with rows of unit length, on `device`.
    Raises InputError for an empty list, layers that are not (n, d) or differ in n, NaN or infinity, rows of
    zeros, and layers whose samples are all alike.
    """
    return list(prepared(layers, clamp, concatenate, device))


def prepared(
    layers: Sequence[Tensor | np.ndarray],
    clamp: str | None = "exact",
    concatenate: bool = False,
    device: str | torch.device = "cpu",
) -> Iterator[Tensor]:
    """As `prepare`, one layer after the other: who uses each at once keeps none, and finds it in the processor's cache."""
    if clamp not in CLAMPS:
        raise InputError(f"unknown clamp {clamp!r}: use 'exact', 'sampled' or None")
    n = len(layers[0]) if len(layers) else 0
    tensors = [check_layer(layer, i, n, device) for i, layer in enumerate(check_layers(layers))]
    bound = None
    if clamp is not None:
        bound = exact_threshold(tensors) if clamp == "exact" else sampled_threshold(tensors)
    yield from clamped_units(tensors, bound, concatenate, device)


def clamped_units(
    layers: Sequence[Tensor], bound: float | None, concatenate: bool, device: str | torch.device
) -> Iterator[Tensor]:
    """Each of some float32 layers (n, d_l), clamped to -bound ... bound, with rows of length 1; then all of them as one, if asked for."""

    def clamped(number):
        layer = layers[number].to(device)
        return layer if bound is None else layer.clamp(-bound, bound)

    for number in range(len(layers)):
        yield unit_rows(clamped(number), f"layer {number}")
    if concatenate:
        yield unit_rows(torch.cat([clamped(number) for number in range(len(layers))], dim=1), "all layers")


def check_layers(layers: Sequence[Tensor | np.ndarray]) -> Sequence[Tensor | np.ndarray]:
    """Return `layers` if it is a non-empty sequence of (n, d) arrays of one n, else raise InputError."""
    if len(layers) == 0:
        raise InputError("no layers: give at least one (n, d) feature matrix")
    for i, layer in enumerate(layers):
        if layer.ndim != 2 or 0 in layer.shape:
            raise InputError(f"layer {i} has shape {tuple(layer.shape)}: features must be (n, d), not empty")
        if layer.shape[0] != layers[0].shape[0]:
            raise InputError(f"layer {i} has {layer.shape[0]} samples, layer 0 has {layers[0].shape[0]}")
    return layers


def check_layer(
    layer: Tensor | np.ndarray, number: int, n: int, device: str | torch.device = "cpu"
) -> Tensor:
    """A layer as float32, if it has n rows and is finite, else InputError."""
    tensor = _as_float32(layer, number, device)
    if tensor.ndim != 2 or len(tensor) != n:
        raise InputError(f"layer {number} has shape {tuple(tensor.shape)}, layer 0 has {n} samples")
    _check_finite(tensor, f"layer {number}")
    return tensor


def unit_rows(layer: Tensor, where: str) -> Tensor:
    """A layer's rows, scaled to length 1. Raises InputError for a row of zeros, and samples that all are alike."""
    units = _unit_rows(layer, where)
    _check_varies(units, where)
    return units


def exact_threshold(layers: Sequence[Tensor], quantile: float = QUANTILE) -> float:
    """The element of rank floor(quantile * N) among all N values |x| of all layers, by partition, not by sorting."""
    rank = int(quantile * sum(layer.numel() for layer in layers))
    values = torch.cat([layer.abs().flatten() for layer in layers])
    if values.is_cuda:
        return float(values.sort().values[rank])
    array = values.numpy()
    array.partition(rank)
    return float(array[rank])


def sampled_threshold(layers: Sequence[Tensor], quantile: float = QUANTILE) -> float:
    """The mean over samples of each sample's quantile of |x| over all its layers, interpolated linearly."""
    n, width = layers[0].shape[0], sum(layer.shape[1] for layer in layers)
    position = quantile * (width - 1)
    low = int(position)
    rows = max(1, 2**24 // width)  # bounds the copy below to 64 MiB
    quantiles = []
    for start in range(0, n, rows):
        block = torch.cat([layer[start : start + rows] for layer in layers], dim=1).abs()
        top = block.topk(width - low, dim=1).values  # the quantile is near the top: no full sort
        below, above = top[:, -1], top[:, max(width - low - 2, 0)]
        quantiles.append(torch.lerp(below.double(), above.double(), position - low))
    return float(torch.cat(quantiles).mean())


def _as_float32(layer: Tensor | np.ndarray, index: int, device: str | torch.device) -> Tensor:
    tensor = torch.as_tensor(layer)
    if not tensor.is_floating_point():
        raise InputError(
            f"layer {index} has dtype {tensor.dtype}: features must be floating point; convert them"
        )
    return tensor.to(device=device, dtype=torch.float32)


def _check_finite(layer: Tensor, where: str) -> None:
    if torch.isfinite(layer.sum()):  # a sum passes NaN and infinity on, without a copy
        return
    if torch.isfinite(layer.abs().amax()):  # finite values, but too large for their sum
        return
    row = int((~torch.isfinite(layer)).any(dim=1).nonzero()[0])
    raise InputError(f"{where}, row {row}: NaN or infinity in the features; make them anew")


def _unit_rows(layer: Tensor, where: str) -> Tensor:
    norms, units = layer.new_empty(len(layer)), torch.empty_like(layer)
    for rows, lengths, scaled in in_cache(layer, norms, units):
        torch.linalg.vector_norm(rows, dim=1, out=lengths)
        torch.div(rows, lengths.unsqueeze(1), out=scaled)
    if SQUARABLE[0] < float(norms.min()) <= float(norms.max()) < SQUARABLE[1]:
        return units
    largest = layer.abs().amax(dim=1, keepdim=True)
    if float(largest.min()) == 0:
        raise InputError(f"{where}, row {int(largest.argmin())}: all features are zero; leave the item out")
    layer = layer / largest
    return layer / torch.linalg.vector_norm(layer, dim=1, keepdim=True)


def in_cache(*parts: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same few rows of each of some tensors, the first of them (n, d), at a time; on a GPU all rows.

    Memory is what takes the time of simple sums: rows are read from it once for all that is done with them.
    """
    n, width = parts[0].shape
    step = n if parts[0].is_cuda else max(1, CACHED // width)
    return zip(*(part.split(step) for part in parts), strict=True)


def _check_varies(layer: Tensor, where: str) -> None:
    if len(layer) > 1 and torch.equal(layer[0], layer[1]) and bool((layer == layer[0]).all()):
        raise InputError(f"{where}: constant features, all samples are alike; leave the layer out")
