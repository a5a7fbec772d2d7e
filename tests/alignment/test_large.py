"""Neighbours by rows: the same as of all at once, from one layer at a time, and joined only where the parts fit."""

import json

import pytest
import torch

from helpers.jobs import Job
from prh.alignment import preprocess
from prh.alignment.large import (
    StoredLayers,
    exact_threshold,
    join_rows,
    neighbors_of_rows,
    prepared,
    read_rows,
    sampled_threshold,
    write_rows,
)
from prh.alignment.neighbors import index_layers, nearest_neighbors, read_index
from prh.errors import InputError
from prh.features.layers import write_features

torch.set_num_threads(1)
N = 700  # more than the columns that are sorted to begin with


def noise(n=N, width=24, seed=0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def stored(tmp_path):
    layers = {"stem": 3 * noise(width=40) + 1, "block.0": noise(seed=1), "block.1": noise(seed=2).square()}
    path = tmp_path / "features.safetensors"
    write_features(path, layers, {"model": "m", "pairs": N})
    return path, list(layers.values())


@pytest.mark.parametrize("k", [1, 10, 300])
def test_rows_have_the_neighbours_of_the_whole(k, monkeypatch):
    monkeypatch.setattr("prh.alignment.large.ROWS", 100)
    monkeypatch.setattr("prh.alignment.large.COLUMNS", 64)
    x = preprocess.prepare([noise()])[0]
    rows = torch.cat(
        [neighbors_of_rows(x, first, last, k) for first, last in ((0, 250), (250, 251), (251, N))]
    )
    assert torch.equal(rows, nearest_neighbors(x, k))


def test_ties_are_ordered_by_index(monkeypatch):
    monkeypatch.setattr("prh.alignment.large.COLUMNS", 7)
    x = torch.eye(4).repeat(10, 1)
    for first, last in ((0, 13), (13, 40)):
        for i, row in enumerate(neighbors_of_rows(x, first, last, 12).tolist(), start=first):
            same = [j for j in range(40) if j % 4 == i % 4 and j != i]
            assert row == (same + [j for j in range(40) if j % 4 != i % 4])[:12]


@pytest.mark.parametrize("clamp", ["exact", "sampled", None])
@pytest.mark.parametrize("concatenate", [False, True])
def test_layers_are_prepared_one_at_a_time(stored, clamp, concatenate):
    path, layers = stored
    whole = preprocess.prepare(layers, clamp, concatenate)
    one_by_one = list(prepared(StoredLayers(path), clamp, concatenate))
    assert len(one_by_one) == len(whole)
    for a, b in zip(one_by_one, whole, strict=True):
        assert torch.allclose(a, b, atol=1e-7)


@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.95, 0.999])
def test_the_threshold_is_the_element_of_its_rank(stored, quantile):
    path, layers = stored
    assert exact_threshold(StoredLayers(path), quantile) == preprocess.exact_threshold(layers, quantile)
    of_all = preprocess.sampled_threshold(layers, quantile)
    assert sampled_threshold(StoredLayers(path), quantile) == pytest.approx(of_all, rel=1e-9)


def jobs(path, folder, rows=300):
    """The jobs of a data set's parts, and the one that joins them."""
    how = {"clamp": "exact", "concatenate": False, "device": "cpu", "k_max": 5}
    outs = [str(folder / f"{number}.safetensors") for number in range(-(-N // rows))]
    parts = [
        Job("index_rows", {"rows": out}, {"features": str(path)}, **how, span=[i * rows, (i + 1) * rows])
        for i, out in enumerate(outs)
    ]
    whole = str(folder / "whole.safetensors")
    return (
        parts,
        Job("join_neighbors", {"neighbors": whole}, {"features": str(path), "rows": outs}, **how),
        outs,
        whole,
    )


def test_the_jobs_make_the_table_that_one_job_makes(stored, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, layers = stored
    parts, joined, _, whole = jobs(path, tmp_path)
    for job in [*parts, joined]:
        job()
    ids, metadata = read_index(whole)
    assert torch.equal(ids, index_layers(preprocess.prepare(layers), 5))
    assert metadata == {"model": "m", "layers": "stem,block.0,block.1"}


def part(path, first, last, n=10, layers="a", k=2):
    ids = torch.arange(n).roll(-1)[:, None].expand(n, k)[first:last][None].int()
    write_rows(path, ids, {"model": "m", "layers": layers, "first": first, "n": n})
    return str(path)


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"first": 6, "last": 10}, "1: holds other rows"),
        ({"first": 5, "last": 9}, "1: rows from 9 on are missing"),
        ({"first": 5, "last": 10, "layers": "b"}, "1: holds other rows"),
        ({"first": 5, "last": 10, "k": 3}, "1: holds other rows"),
        ({"first": 5, "last": 10, "n": 11}, "1: holds other rows"),
    ],
)
def test_parts_that_do_not_fit(tmp_path, second, says):
    paths = [part(tmp_path / "0", 0, 5), part(tmp_path / "1", **second)]
    with pytest.raises(InputError, match=says):
        join_rows(paths)


def test_bad_files_and_rows(stored, tmp_path):
    path, _ = stored
    with pytest.raises(InputError, match=r"features\.safetensors: not a prh-neighbor-rows 1 file"):
        read_rows(path)
    with pytest.raises(InputError, match="not a prh-features 1 file"):
        StoredLayers(part(tmp_path / "0", 0, 5))
    wrong = tmp_path / "wrong"
    write_rows(wrong, torch.full((1, 2, 2), 9).int(), {"first": 0, "n": 9})
    with pytest.raises(InputError, match=r"neighbour ids outside 0 \.\.\. 8"):
        read_rows(wrong)
    with pytest.raises(InputError, match="20 samples, neighbours of those from 20 to 25"):
        neighbors_of_rows(preprocess.prepare([noise(20)])[0], 20, 25, 3)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(json.dumps({})) + 100])
    with pytest.raises(InputError, match=r"features\.safetensors"):
        StoredLayers(path)
