"""The k-nearest-neighbour graphs of all layers of one model as one sparse table.

An edge is a pair (i, j), "j is a neighbour of i", coded i * n + j. The table has a row for each edge that occurs
in any layer and a column for each layer. Two models share few edges, and what a k-NN metric needs from a pair of
models are sums over the shared ones: looking up one model's edges in the other's and multiplying the two small
tables gives all layer pairs at once. Permuting the samples of one model only relabels its edges.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

LOOKUP_LIMIT = 2**24  # n * n up to which edges are looked up in a dense table (64 MiB of int32)
CHUNK = 2**13  # shared edges multiplied at a time: small enough for the processor's cache
AT_ONCE = 2**20  # at most so many pairs of layers, with a shared edge each, are listed at a time: 50 MB


@dataclass
class KnnGraph:
    """The edges of one model: `codes` (u,) int64 ascending, `tables` of (u, layers), one per quantity."""

    n: int
    codes: Tensor
    tables: dict[str, Tensor] = field(default_factory=dict)
    _at_entries: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @cached_property
    def lookup(self) -> Tensor:
        """Row of the table for each of the n * n codes, -1 where the edge does not occur."""
        table = torch.full((self.n * self.n,), -1, dtype=torch.int32, device=self.codes.device)
        table[self.codes] = torch.arange(len(self.codes), dtype=torch.int32, device=self.codes.device)
        return table

    @cached_property
    def rows_columns(self) -> tuple[Tensor, Tensor]:
        """Row i and column j of each edge, in the type of `label_type`."""
        rows = self.codes // self.n
        kind = self.label_type
        return rows.to(kind), (self.codes - rows * self.n).to(kind)

    @cached_property
    def entries(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """What the table "in" has, row by row, int64: each row's first entry and their number, (u,); each entry's layer, i and j."""
        counts = self.tables["in"].sum(dim=1, dtype=torch.int64)
        rows, layers = self.tables["in"].nonzero(as_tuple=True)
        i, j = (part.long().index_select(0, rows) for part in self.rows_columns)
        return counts.cumsum(0) - counts, counts, layers, i, j

    def at(self, name: str, entries: Tensor) -> Tensor:
        """A table's values at some of the entries, float64."""
        if name not in self._at_entries:
            self._at_entries[name] = self.tables[name][self.tables["in"].bool()].double()
        return self._at_entries[name].index_select(0, entries)

    @property
    def label_type(self) -> torch.dtype:
        """int32 where n * n fits, for speed, else int64."""
        return torch.int32 if self.n * self.n <= LOOKUP_LIMIT else torch.int64

    def find(self, codes: Tensor) -> Tensor:
        """The table row of each code, -1 where it does not occur."""
        if self.n * self.n <= LOOKUP_LIMIT:
            return self.lookup.index_select(0, codes)
        places = torch.searchsorted(self.codes, codes).clamp_(max=len(self.codes) - 1)
        return torch.where(self.codes[places] == codes, places, -1)


def layer_codes(ids: Tensor) -> Tensor:
    """The codes of a neighbour table (layers, n, k): (layers, n * k) int64."""
    layers, n, _ = ids.shape
    rows = torch.arange(n, device=ids.device).view(1, n, 1)
    return (rows * n + ids).view(layers, -1)


def make_graph(ids: Tensor, values: dict[str, Tensor] | None = None) -> KnnGraph:
    """The graph of a neighbour table (layers, n, k) with the table "in" (uint8: 1 where the layer has the edge).

    values: more quantities (layers, n, k), each made a float32 table that is 0 where the layer lacks the edge.
    """
    layers, n, _ = ids.shape
    codes = layer_codes(ids)
    if n * n <= LOOKUP_LIMIT:
        marks = torch.zeros(n * n, dtype=torch.bool, device=ids.device)
        marks[codes.flatten()] = True
        graph = KnnGraph(n, marks.nonzero().flatten())
    else:
        graph = KnnGraph(n, torch.unique(codes))
    places = graph.find(codes.flatten()).long()
    flat = places * layers + torch.arange(layers, device=ids.device).repeat_interleave(codes.shape[1])
    graph.tables["in"] = _fill(flat, torch.ones_like(flat, dtype=torch.uint8), len(graph.codes), layers)
    for name, value in (values or {}).items():
        graph.tables[name] = _fill(flat, value.float().flatten(), len(graph.codes), layers)
    return graph


def add_mutual(graph: KnnGraph, source: str, name: str) -> None:
    """Add the table `name`: that of `source` where the layer has both (i, j) and (j, i), 0 elsewhere."""
    rows, columns = graph.rows_columns
    back = graph.find(columns * graph.n + rows).long()
    has_back = graph.tables["in"].index_select(0, back.clamp(min=0)) * (back >= 0).unsqueeze(1)
    graph.tables[name] = graph.tables[source] * has_back


def shared(
    x: KnnGraph, y: KnnGraph, permutation: Tensor | None = None, transpose: bool = False
) -> tuple[Tensor, Tensor]:
    """The edges that x and y have in common: their rows of x's table, ascending, and of y's.

    permutation: y's samples in another order, row r of the new y being row permutation[r] of the old one.
    transpose: look up (j, i) of y for (i, j).
    """
    rows, columns = y.rows_columns
    if permutation is not None:
        new_label = torch.empty_like(permutation, dtype=y.label_type)
        new_label[permutation] = torch.arange(y.n, dtype=y.label_type, device=permutation.device)
        rows, columns = new_label.index_select(0, rows), new_label.index_select(0, columns)
    if transpose:
        rows, columns = columns, rows
    found = x.find(rows * x.n + columns)
    hits = (found >= 0).nonzero().flatten()
    x_rows, order = found.index_select(0, hits).long().sort()
    return x_rows, hits.index_select(0, order)


def sum_products(x: Tensor, y: Tensor, x_rows: Tensor, y_rows: Tensor) -> Tensor:
    """Sums over shared edges of x's value times y's: (layers_x, layers_y) float64."""
    kind = _exact_type(x, y)
    total = torch.zeros(x.shape[1], y.shape[1], dtype=torch.float64, device=x.device)
    for a, b in zip(x_rows.split(CHUNK), y_rows.split(CHUNK), strict=True):
        total += x.index_select(0, a).to(kind).T @ y.index_select(0, b).to(kind)
    return total


def layer_pairs(x: KnnGraph, y: KnnGraph, x_rows: Tensor, y_rows: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Every shared edge once for each layer of x and layer of y that both have it, some at a time.

    Yields x's entries, y's, and the pairs of layers as layer_x * layers_y + layer_y. Layers of which each has few of the edges
    share fewer still: so listed they are less work than a table of all layers.
    """
    (x_first, x_counts, x_layers, *_), (y_first, y_counts, y_layers, *_) = x.entries, y.entries
    width = y.tables["in"].shape[1]
    size = max(1, AT_ONCE // (x.tables["in"].shape[1] * width))
    for a, b in zip(x_rows.split(size), y_rows.split(size), strict=True):
        x_entries, edge = _runs(x_first.index_select(0, a), x_counts.index_select(0, a))
        own = b.index_select(0, edge)
        y_entries, which = _runs(y_first.index_select(0, own), y_counts.index_select(0, own))
        x_entries = x_entries.index_select(0, which)
        pairs = (x_layers.index_select(0, x_entries) * width).add_(y_layers.index_select(0, y_entries))
        yield x_entries, y_entries, pairs


def shared_counts(x: KnnGraph, y: KnnGraph, x_rows: Tensor, y_rows: Tensor, at_j: bool = False) -> Tensor:
    """How many shared edges (i, j) of x each sample is the i of, or the j: (layers_x, layers_y, n) int32."""
    ends = x.entries[-1 if at_j else -2]
    layers = x.tables["in"].shape[1], y.tables["in"].shape[1]
    counts = torch.zeros(layers[0] * layers[1] * x.n, dtype=torch.int32, device=ends.device)
    for x_entries, _, pairs in layer_pairs(x, y, x_rows, y_rows):
        places = pairs.mul_(x.n).add_(ends.index_select(0, x_entries))
        counts.scatter_add_(0, places, torch.ones_like(places, dtype=torch.int32))
    return counts.view(*layers, x.n)


def _runs(first: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """first[i], first[i] + 1, ..., counts[i] numbers of each i, one run after the other; and the i of each number."""
    run = torch.repeat_interleave(counts)
    before = counts.cumsum(0) - counts
    return torch.arange(len(run), device=run.device).add_((first - before).index_select(0, run)), run


def _exact_type(x: Tensor, y: Tensor) -> torch.dtype:
    """float32 counts exactly; products of kernel values cancel in CKNNA and need float64."""
    return torch.float64 if x.is_floating_point() or y.is_floating_point() else torch.float32


def _fill(flat: Tensor, values: Tensor, rows: int, columns: int) -> Tensor:
    table = torch.zeros(rows * columns, dtype=values.dtype, device=values.device)
    table[flat] = values
    return table.view(rows, columns)
