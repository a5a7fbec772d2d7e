"""Neighbours by parts: the same as of all at once, from one layer at a time, and joined only where the parts fit."""

import json

import pytest
import torch

from helpers.jobs import Job
from prh.alignment import preprocess
from prh.alignment.large import (
    StoredLayers,
    candidates,
    exact_threshold,
    join_candidates,
    partners,
    prepared,
    read_candidates,
    sampled_threshold,
    write_candidates,
)
from prh.alignment.largest import NOTHING, split
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


def by_parts(folder, x, size, k):
    """The neighbours (n, k) of one layer, of the files of its parts."""
    paths = []
    for number in range(-(-len(x) // size)):
        paths.append(str(folder / f"part-{number}.safetensors"))
        facts = {"model": "m", "layers": "a", "n": len(x), "part": number, "size": size}
        write_candidates(paths[-1], [candidates(x, number, size, k)], facts)
    return join_candidates(paths)[0][0]


@pytest.mark.parametrize("k", [1, 10, 300])
@pytest.mark.parametrize("size", [100, 150, 250, 350, 699, 700])
def test_parts_have_the_neighbours_of_the_whole(k, size, monkeypatch, tmp_path):
    monkeypatch.setattr("prh.alignment.large.BLOCK", 64)
    x = preprocess.prepare([noise()])[0]
    assert torch.equal(by_parts(tmp_path, x, size, k), nearest_neighbors(x, k))


@pytest.mark.parametrize("size", [6, 13, 40])
def test_ties_are_ordered_by_index(size, monkeypatch, tmp_path):
    """Also where columns come out of order, as they do for the parts that a job goes around to."""
    monkeypatch.setattr("prh.alignment.large.BLOCK", 7)
    for i, row in enumerate(by_parts(tmp_path, torch.eye(4).repeat(10, 1), size, 12).tolist()):
        same = [j for j in range(40) if j % 4 == i % 4 and j != i]
        assert row == (same + [j for j in range(40) if j % 4 != i % 4])[:12]


@pytest.mark.parametrize("size", [20, 23, 34, 69, 70])
def test_equal_samples_are_equal_in_parts_of_any_size(size, tmp_path):
    """Narrow products are rounded in another way: the last part of 70 samples in parts of 69 is one sample."""
    kinds = torch.randint(7, (70,), generator=torch.Generator().manual_seed(1))
    x = preprocess.prepare([noise(7, 384)[kinds]])[0]
    for i, row in enumerate(by_parts(tmp_path, x, size, 5).tolist()):
        assert row == [j for j in range(70) if kinds[j] == kinds[i] and j != i][:5]


@pytest.mark.parametrize("parts", range(1, 12))
def test_each_two_parts_meet_once(parts):
    met = [frozenset({part, other}) for part in range(parts) for other in partners(part, parts)]
    assert len(met) == len(set(met)) == parts * (parts + 1) // 2


def test_a_candidate_is_the_nearest_of_those_compared(tmp_path):
    """The job of part 1 of three sees its own samples beside each other and beside part 2, which sees part 1 only."""
    x = preprocess.prepare([noise(30)])[0]
    found = {part: split(tensor)[1] for part, tensor in candidates(x, 1, 10, 3).items()}
    assert sorted(found) == [1, 2]
    similar = (x @ x.T).fill_diagonal_(-torch.inf)
    assert torch.equal(found[1], similar[10:20, 10:].topk(3).indices + 10)
    assert torch.equal(found[2], similar[20:, 10:20].topk(3).indices + 10)
    alone = candidates(preprocess.prepare([noise(9)])[0], 1, 8, 5)  # the last of nine, in a part of its own
    assert (alone[1] == NOTHING).all()


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


def jobs(path, folder, size=300):
    """The jobs of a data set's parts, and the one that joins them."""
    how = {"clamp": "exact", "concatenate": False, "device": "cpu", "k_max": 5}
    features, outs = {"features": str(path)}, [str(folder / f"{number}.safetensors") for number in range(3)]
    parts = [
        Job("index_rows", {"candidates": out}, features, **how, part=number, size=size)
        for number, out in enumerate(outs)
    ]
    whole = str(folder / "whole.safetensors")
    return parts, Job("join_neighbors", {"neighbors": whole}, {**features, "candidates": outs}, **how), whole


def test_the_jobs_make_the_table_that_one_job_makes(stored, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, layers = stored
    parts, joined, whole = jobs(path, tmp_path)
    for job in [*parts, joined]:
        job()
    ids, metadata = read_index(whole)
    assert torch.equal(ids, index_layers(preprocess.prepare(layers), 5))
    assert metadata == {"model": "m", "layers": "stem,block.0,block.1"}


def part(path, number, n=10, size=5, layers="a", k=2):
    x = preprocess.prepare([noise(n)])[0]
    facts = {"model": "m", "layers": layers, "n": n, "part": number, "size": size}
    write_candidates(path, [candidates(x, number, size, k)], facts)
    return str(path)


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"number": 0}, "1: is not part 1 of"),
        ({"number": 1, "n": 9}, "1: is not part 1 of"),
        ({"number": 1, "layers": "b"}, "1: is not part 1 of"),
        ({"number": 1, "k": 3}, "1: is not part 1 of"),
        (None, "0: part 1, which follows, is missing"),
    ],
)
def test_parts_that_do_not_fit(tmp_path, second, says):
    paths = [part(tmp_path / "0", 0)] + ([part(tmp_path / "1", **second)] if second else [])
    with pytest.raises(InputError, match=says):
        join_candidates(paths)


def test_bad_files_and_parts(stored, tmp_path):
    path, _ = stored
    with pytest.raises(InputError, match=r"features\.safetensors: not a prh-neighbor-candidates 1 file"):
        read_candidates(path)
    with pytest.raises(InputError, match="not a prh-features 1 file"):
        StoredLayers(part(tmp_path / "0", 0))
    wrong, facts = tmp_path / "wrong", {"n": 9, "part": 0, "size": 9}
    found = candidates(preprocess.prepare([noise(9)])[0], 0, 9, 2)
    write_candidates(wrong, [{0: found[0] + 9}], facts)
    with pytest.raises(InputError, match=r"neighbour ids outside 0 \.\.\. 8"):
        read_candidates(wrong)
    write_candidates(wrong, [found], facts | {"size": 5})
    with pytest.raises(InputError, match="holds other parts than the job of part 0 makes"):
        read_candidates(wrong)
    write_candidates(wrong, [{0: found[0].int()}], facts)
    with pytest.raises(InputError, match=r"must be \(layers, samples, k\) int64"):
        read_candidates(wrong)
    with pytest.raises(InputError, match="20 samples have no part 4 of 5 each"):
        candidates(preprocess.prepare([noise(20)])[0], 4, 5, 3)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(json.dumps({})) + 100])
    with pytest.raises(InputError, match=r"features\.safetensors"):
        StoredLayers(path)
