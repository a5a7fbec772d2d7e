"""Finding neighbours, ties, streaming, and the cache file."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import normalize

from prh.alignment.knn_graph import make_graph
from prh.alignment.neighbors import gram, index_layers, nearest_neighbors, read_index, write_index
from prh.errors import InputError

torch.set_num_threads(1)  # small products: threads only wait for each other


def features(n=60, d=8, seed=0):
    return normalize(torch.randn(n, d, generator=torch.Generator().manual_seed(seed)), dim=1)


def by_full_sort(x, k):
    products = (x @ x.T).fill_diagonal_(-torch.inf)
    return products.sort(dim=1, descending=True, stable=True).indices[:, :k].int()


def test_neighbours_of_points_on_a_circle():
    angles = torch.tensor([0.0, 0.1, 0.3, 0.7, 1.5])
    x = torch.stack([angles.cos(), angles.sin()], dim=1)
    assert nearest_neighbors(x, 2).tolist() == [[1, 2], [0, 2], [1, 0], [2, 1], [3, 2]]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("block", [4096, 60, 25, 7])
def test_equals_a_full_sort_at_any_block(seed, block):
    x = features(seed=seed)
    assert torch.equal(nearest_neighbors(x, 10, block), by_full_sort(x, 10))


def test_never_holds_more_than_a_block(monkeypatch):
    largest = []
    matmul = torch.Tensor.__matmul__
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: largest.append(matmul(a, b)) or largest[-1])
    nearest_neighbors(features(n=100), 5, block=16)
    assert max(product.numel() for product in largest) <= 16 * 16


@pytest.mark.parametrize("block", [4096, 16])
def test_ties_are_ordered_by_index(block):
    x = torch.eye(4).repeat(10, 1)  # sample i equals every i + 4 m; all others are equally far
    ids = nearest_neighbors(x, 12, block)
    for i, row in enumerate(ids.tolist()):
        same = [j for j in range(40) if j % 4 == i % 4 and j != i]
        others = [j for j in range(40) if j % 4 != i % 4]
        assert row == (same + others)[:12]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n", [200, 257, 513, 1000, 2100])
def test_equal_samples_are_ordered_by_index(n, threads):
    """As captions that occur twice are: their products are equal, wherever in the matrix they stand."""
    kinds = torch.randint(7, (n,), generator=torch.Generator().manual_seed(1))
    torch.set_num_threads(threads)
    try:
        ids = nearest_neighbors(features(n=7, d=384)[kinds], 5)
    finally:
        torch.set_num_threads(1)
    first = [(kinds == kind).nonzero().flatten().tolist()[:6] for kind in range(7)]
    for i, row in enumerate(ids.tolist()):
        assert row == [j for j in first[kinds[i]] if j != i][:5]


@pytest.mark.parametrize("block", [4096, 25])
def test_samples_that_hardly_differ_are_told_apart(block):
    """Cosines within 1e-6 of 1, of which float32 has a few values only."""
    raw = features(n=1, d=64) + 1e-3 * features(n=300, d=64, seed=1)
    x = normalize(raw.double(), dim=1)
    exact = by_full_sort(x, 10)
    assert (nearest_neighbors(x.float(), 10, block) == exact).float().mean() > 0.99
    assert (by_full_sort(x.float(), 10) == exact).float().mean() < 0.5


def test_rows_of_any_length_are_ranked_by_inner_product():
    x = features() * torch.linspace(0.5, 2, 60).unsqueeze(1)
    assert torch.equal(nearest_neighbors(x, 10), by_full_sort(x, 10))


def test_gram_is_the_symmetric_product():
    x = features(n=600, d=30)
    assert torch.equal(gram(x), gram(x).T)
    assert torch.allclose(gram(x), x @ x.T, atol=1e-6)


def test_sparse_table_lists_every_neighbour_once():
    ids = index_layers([features(seed=1), features(seed=2)], 5)
    graph = make_graph(ids)
    rows, columns = graph.rows_columns
    for layer in range(2):
        held = graph.tables["in"][:, layer].bool()
        assert {*zip(rows[held].tolist(), columns[held].tolist(), strict=True)} == {
            (i, j) for i, row in enumerate(ids[layer].tolist()) for j in row
        }
    assert bool((graph.tables["in"].sum(dim=1) > 0).all())


@pytest.mark.parametrize(("n", "k"), [(5, 4), (60, 59), (60, 0), (60, -1), (60, 2.5)])
def test_bad_k(n, k):
    with pytest.raises(InputError, match=f"k = {k}"):
        nearest_neighbors(features(n=n), k)


def test_no_layers():
    with pytest.raises(InputError, match="no layers"):
        index_layers([], 5)


def test_index_round_trip_and_same_bytes(tmp_path):
    ids = index_layers([features(), features(seed=1)], 5)
    metadata = {"model": "é", "dataset": "b", "clamp": "exact"}
    write_index(tmp_path / "a", ids, metadata)
    write_index(tmp_path / "b", ids, dict(reversed(metadata.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    read, found = read_index(tmp_path / "a")
    assert torch.equal(read, ids)
    assert found == metadata


def test_truncated_at_every_byte_is_one_clear_error(tmp_path):
    path = tmp_path / "index.safetensors"
    write_index(path, index_layers([features(n=6)], 2), {"model": "m"})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"index\.safetensors"):
            read_index(path)


def foreign(path, kind):
    table = torch.zeros(1, 6, 2, dtype=torch.int32)
    known = {"format": "prh-neighbors", "format_version": "1"}
    if kind == "text":
        path.write_text(json.dumps({"neighbors": []}))
    elif kind == "other tensors":
        save_file({"weights": table}, path, known)
    elif kind == "no metadata":
        save_file({"neighbors": table}, path)
    elif kind == "newer version":
        save_file({"neighbors": table}, path, {**known, "format_version": "2"})
    elif kind == "floats":
        save_file({"neighbors": table.float()}, path, known)
    elif kind == "ids too large":
        save_file({"neighbors": table + 6}, path, known)


@pytest.mark.parametrize(
    "kind", ["text", "other tensors", "no metadata", "newer version", "floats", "ids too large", "missing"]
)
def test_foreign_files_are_refused_by_name(tmp_path, kind):
    path = tmp_path / "index.safetensors"
    foreign(path, kind)
    with pytest.raises(InputError, match=r"index\.safetensors"):
        read_index(path)
