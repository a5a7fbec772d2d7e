"""CKNNA, kernel alignment over shared nearest neighbours, in four variants.

The paper's equations (Huh et al. 2024, 12 and 16-18) and its code differ, so each is there under its own name:

- "paper": the equations. Each kernel less its row means, K_ij - mean_l K_il; summed over the edges (i, j), i != j,
  in which j is among the k nearest neighbours of i in both; divided by the root of the two self-alignments.
- "centred": the same with both row and column means taken off (HKH).
- "code": the official code. The kernels are masked first; then the unbiased HSIC (Song et al. 2012) of the masked
  kernels. It may exceed 1 for large k, and is not quite symmetric, since the masks are directed.
- "followup": the default of the code of Groeger et al. 2026 (`unbiased=False`). A sample is its own first neighbour,
  and the biased HSIC, tr(KHLH), of the masked kernels is taken.
"""

import torch
from torch import Tensor

from prh.alignment.knn_graph import KnnGraph, add_mutual, layer_pairs, make_graph, shared, sum_products
from prh.alignment.neighbors import Ranking


def cknna_graph(layers: list[Ranking], k: int, variant: str) -> KnnGraph:
    """The edges of the ranked layers of one model, of each sample's first k, their kernel values, and the self-alignments.

    Tables: "in", "value", for the masked variants "both" (value where i and j are neighbours of each other), and
    "own", (layers,) float64, each layer's alignment with itself.
    """
    tables = [_kernel_values(layer, k, variant) for layer in layers]
    ids = torch.stack([table[0] for table in tables])
    graph = make_graph(ids, {"value": torch.stack([table[1] for table in tables])})
    values = graph.tables["value"].double()
    if variant in ("paper", "centred"):
        graph.tables["own"] = values.square().sum(dim=0)
        return graph
    add_mutual(graph, "value", "both")
    rows, columns = graph.rows_columns
    row_sums = values.new_zeros(graph.n, len(layers)).index_add_(0, rows, values)
    column_sums = values.new_zeros(graph.n, len(layers)).index_add_(0, columns, values)
    trace = graph.tables["both"].double().square().sum(dim=0)
    cross = (column_sums * row_sums).sum(dim=0)
    graph.tables["own"] = hsic(trace, values.sum(dim=0).square(), cross, cross, graph.n, variant)
    return graph


def cknna_products(x: KnnGraph, y: KnnGraph, variant: str, permutation: Tensor | None = None) -> Tensor:
    """The alignments, not normalised, of all layer pairs: (layers_x, layers_y) float64; y permuted if asked."""
    x_rows, y_rows = shared(x, y, permutation)
    a, b = x.tables, y.tables
    if variant in ("paper", "centred"):
        return sum_products(a["value"], b["value"], x_rows, y_rows)
    count = len(a["own"]) * len(b["own"])
    trace = torch.zeros(count, dtype=torch.float64, device=x_rows.device)
    # By pair of layers and sample: column sums of masked K and row sums of masked L, and the other way round.
    sums = trace.new_zeros(4 if variant == "followup" else 2, count, x.n)
    for x_entries, y_entries, pairs in layer_pairs(x, y, x_rows, y_rows):
        k, m = x.at("value", x_entries), y.at("value", y_entries)
        trace.scatter_add_(0, pairs, x.at("both", x_entries) * y.at("both", y_entries))
        pairs *= x.n
        at_i, at_j = (pairs + ends.index_select(0, x_entries) for ends in x.entries[-2:])
        for total, at, values in zip(sums, (at_j, at_i, at_i, at_j), (k, m, k, m), strict=False):
            total.view(-1).scatter_add_(0, at, values)
    crosses = [(left * right).sum(dim=1) for left, right in sums.view(-1, 2, count, x.n)]
    totals = sums[0].sum(dim=1) * sums[1].sum(dim=1)
    return hsic(trace, totals, crosses[0], crosses[-1], x.n, variant).view(len(a["own"]), -1)


def hsic(trace, totals, cross, back, n: int, variant: str):
    """HSIC of masked kernels K, L from tr(KL), 1'K1 1'L1, 1'KL1 and 1'LK1 (unbiased: Song et al. 2012, eq. 5)."""
    if variant == "followup":
        return trace - (cross + back) / n + totals / n**2
    return (trace + totals / ((n - 1) * (n - 2)) - 2 * cross / (n - 2)) / (n * (n - 3))


def _kernel_values(layer: Ranking, k: int, variant: str) -> tuple[Tensor, Tensor]:
    """The k neighbours of every sample and the kernel's values there, centred as the variant has it."""
    ids, values, h = layer.ids[:, :k], layer.similarities[:, :k], layer.h
    if variant == "paper":
        return ids, values.double() - h.double().mean()
    if variant == "centred":
        return ids, values.double() - h.double()[ids.long()]
    values = values + (1 + h).unsqueeze(1)
    if variant == "code":
        return ids, values
    own = torch.arange(len(layer), device=ids.device, dtype=ids.dtype).unsqueeze(1)
    return torch.cat([own, ids[:, : k - 1]], dim=1), torch.cat(
        [layer.squares.unsqueeze(1), values[:, : k - 1]], dim=1
    )
