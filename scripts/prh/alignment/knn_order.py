"""Comparing ordered neighbour lists: longest common subsequence and edit distance, all samples at once."""

import torch
from torch import Tensor


def longest_common(a: Tensor, b: Tensor) -> Tensor:
    """Length of the longest common subsequence of a's list and each of b's lists of the same sample.

    a: (n, k), one layer's lists; b: (layers, n, k). Returns (layers, n) int16.
    """
    layers, n, k = b.shape
    previous = torch.zeros(k + 1, layers, n, dtype=torch.int16, device=b.device)
    columns = b.permute(2, 0, 1).contiguous()
    for i in range(k):
        current = torch.zeros_like(previous)
        longer = previous[:-1] + (columns == a[:, i])
        best = torch.maximum(longer, previous[1:])
        for j in range(k):
            torch.maximum(best[j], current[j], out=current[j + 1])
        previous = current
    return previous[k]


def edit_distances(a: Tensor, b: Tensor) -> Tensor:
    """Levenshtein distance of a's list and each of b's lists of the same sample.

    a: (n, k), one layer's lists; b: (layers, n, k). Returns (layers, n) int16.
    """
    layers, n, k = b.shape
    start = torch.arange(k + 1, dtype=torch.int16, device=b.device)
    previous = start.view(-1, 1, 1).expand(-1, layers, n).contiguous()
    columns = b.permute(2, 0, 1).contiguous()
    for i in range(k):
        current = torch.full_like(previous, i + 1)
        replaced = previous[:-1] + (columns != a[:, i])
        best = torch.minimum(replaced, previous[1:] + 1)
        for j in range(k):
            torch.minimum(best[j], current[j] + 1, out=current[j + 1])
        previous = current
    return previous[k]
