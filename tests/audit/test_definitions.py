"""The audit's plain implementation gives what the library gives: two ways to the same numbers."""

import numpy as np
import pytest
import torch
from scipy import stats

from prh.alignment import calibration, metrics, neighbors, preprocess
from prh.alignment.catalogue import METRICS
from prh.audit import definitions

K = 6


@pytest.fixture(scope="module")
def layers():
    """Raw features of two related models of 50 items: two layers each."""
    rng = np.random.default_rng(3)
    base = rng.standard_normal((50, 12))
    mixed = [base @ rng.standard_normal((12, d)) + rng.standard_normal((50, d)) for d in (14, 20, 12, 30)]
    return [m.astype(np.float32) for m in mixed[:2]], [m.astype(np.float32) for m in mixed[2:]]


@pytest.mark.parametrize("concatenate", [False, True])
@pytest.mark.parametrize("clamp", ["exact", "sampled", None])
def test_preparation(layers, clamp, concatenate):
    mine, theirs = (
        definitions.Prepared(layers[0], clamp, concatenate),
        preprocess.prepare(layers[0], clamp, concatenate),
    )
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b.numpy(), atol=2e-7)


def test_neighbours(layers):
    layer = definitions.Prepared(layers[0], "exact", False)[0]
    theirs = neighbors.nearest_neighbors(torch.from_numpy(layer).float(), K)
    assert definitions.ranked(layer, K).tolist() == theirs.tolist()


@pytest.mark.parametrize("name", METRICS)
def test_metrics(layers, name):
    k = K if METRICS[name].needs_k else None
    states = [metrics.layer_state(name, preprocess.prepare(side), k) for side in layers]
    expected = metrics.pair_scores(*states).numpy()
    x, y = (definitions.Prepared(side, "exact", False) for side in layers)
    found = [[definitions.score(name, k, a, b) for b in y] for a in x]
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_a_table_of_fewer_neighbours_is_not_used(layers):
    """A run whose neighbour tables hold 20 may have CKNNA of 30, which ranks its features itself."""
    x, y = (definitions.Prepared(side, "exact", False)[0] for side in layers)
    narrow = [definitions.ranked(layer, K) for layer in (x, y)]
    found = definitions.score("cknna_paper", 2 * K, x, y, *narrow)
    assert found == definitions.score("cknna_paper", 2 * K, x, y)
    assert found != definitions.score("cknna_paper", K, x, y, *narrow)


@pytest.mark.parametrize("name", METRICS)
def test_metrics_where_items_hardly_differ(layers, name):
    """Items 1e-3 about a common one, as class tokens in a ViT's first blocks: float32 has the digits if it is centred."""
    k = K if METRICS[name].needs_k else None
    raw = [(1 + 1e-3 * side[0]).astype(np.float32) for side in layers]
    x, y = (definitions.Prepared([side], None, False)[0] for side in raw)
    states = [metrics.layer_state(name, preprocess.prepare([side], None), k) for side in raw]
    windowed = name.startswith(
        "trsa"
    )  # distances that are as near as float32 tells them apart change places at its edges
    expected = pytest.approx(definitions.score(name, k, x, y), abs=1e-5 if windowed else 2e-6)
    assert float(metrics.pair_scores(*states)) == expected


def test_null_of_mutual_knn(layers):
    x, y = (neighbors.index_layers(preprocess.prepare(side), K) for side in layers)
    orders = calibration.permutations(50, 7, seed=4)
    states = [metrics.layer_state("mutual_knn", ids, K) for ids in (x, y)]
    expected = calibration.null_maxima(*states, orders)[:, 0, 0]
    found = definitions.null_of_mutual_knn(x.numpy(), y.numpy(), K, orders.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-12)
    summary = calibration.summarise(0.2, expected, 0.05)
    assert definitions.tail(0.2, found, 0.05) == pytest.approx(
        [summary[n] for n in ("null_mean", "tau", "p_value")]
    )


def test_q_values():
    p = np.array([0.2, 0.01, 0.01, 0.9, 0.04, 0.5])
    np.testing.assert_allclose(definitions.step_up(p), stats.false_discovery_control(p))
