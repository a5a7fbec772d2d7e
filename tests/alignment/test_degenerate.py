"""Features of every awkward kind: each score, null and interval is within the metric's range, or one line says why there is none."""

import math
import re

import numpy as np
import pytest
import torch

from prh.alignment.calibration import bootstrap_interval, calibrate_states
from prh.alignment.catalogue import METRICS
from prh.alignment.metrics import layer_state, pair_scores
from prh.alignment.preprocess import prepare
from prh.alignment.windows import window_rows
from prh.audit import definitions
from prh.errors import InputError

torch.set_num_threads(1)  # small products: threads only wait for each other

SHAPES = [(16, 6), (12, 30), (20, 1), (30, 3)]
NOT_DEFINED = {  # of the kinds below, and these shapes: which metrics refuse a layer that the others take
    "all but one alike": {"unbiased_cka", "rtd_lite"},
    "equal distances": {"unbiased_cka", "rsa", "trsa_0_0.075", "trsa_0.2_0.8"},
}


def with_rows(x, rows, value):
    x = x.copy()
    x[rows] = value
    return x


def with_units(x, units, value):
    return with_rows(x.T, units, value).T


def kinds(n, d):
    """Features (n, d) of each kind, by its name."""
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, d))
    return {
        "constant": np.full((n, d), 0.3),
        "constant units": with_units(x, slice((d + 1) // 2, d), 0.1),
        "dead units": with_units(x, slice((d + 1) // 2, d), 0),
        "duplicated rows": with_rows(x, slice(n // 3, n), x[0]),
        "two clusters": np.repeat(rng.standard_normal((2, d)), [n // 2, n - n // 2], axis=0),
        "all but one alike": with_rows(x, slice(1, n), x[1]),
        "rank 1": np.outer(rng.standard_normal(n), rng.standard_normal(d)),
        "tiny": x * 1e-20,
        "tinier": x * 1e-36,
        "huge": x * 1e20,
        "huger": x * 1e36,
        "one outlier": with_rows(x, 0, 1e6),
        "nearly constant": 1 + 1e-6 * x,
        "binary": np.concatenate([x > 0, x <= 0], axis=1).astype(float),
        "integer": rng.integers(0, 3, (n, d)) + 1.0,
        "whole numbers": rng.integers(1, 3, (n, d)),
        "a row of zeros": with_rows(x, 3, 0),
        "equal distances": np.eye(n),
    }


def values(metric, x, y, k):
    """By name, the scores of two prepared layers both ways round and of x with itself, what calibration makes of it, intervals."""
    a, b = (layer_state(metric, layer, k) for layer in (x, y))
    found = {"x, x": pair_scores(a, a), "x, y": pair_scores(a, b), "y, x": pair_scores(b, a)}
    if METRICS[metric].cheap_null:
        made = calibrate_states(a, b, count=5)
        found |= {"null": made.null, "tau": made.tau, "calibrated": made.calibrated_score}
    for name, other in (("interval", b), ("own interval", a)):
        ends = bootstrap_interval(a, other, 0, 0, count=10)
        if METRICS[metric].family not in ("subspace", "tree"):
            found[name] = ends
        else:
            assert all(map(math.isnan, ends))  # which the module says
    return {name: np.asarray(value, dtype=float) for name, value in found.items()}


def tried(function, *arguments):
    """What a function returns, and None; or None, and what it says of bad input."""
    try:
        return function(*arguments), None
    except InputError as error:
        return None, str(error)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("metric", METRICS)
def test_nothing_is_undefined_in_silence(metric, shape):
    spec, k = METRICS[metric], 3 if METRICS[metric].needs_k else None
    lowest = -math.inf if spec.minimum is None else spec.minimum
    highest = math.inf if spec.maximum is None else spec.maximum
    y = prepare([np.random.default_rng(0).standard_normal((shape[0], 4))], None)
    refused = set()
    for kind, features in kinds(*shape).items():
        x, said = tried(prepare, [features.astype(np.float32) if features.dtype == float else features], None)
        if said:
            assert re.match(r"layer 0(, row \d+)?: .*; (leave|make)|layer 0 has .*; convert", said)
            refused.add(kind)
            continue
        found, said = tried(values, metric, x, y, k)
        if said:
            assert re.match(f"layer 0: {metric} is not defined, .*; leave", said)
            assert metric in NOT_DEFINED[kind]
            continue
        for name, value in found.items():
            assert np.isfinite(value).all(), (kind, name, value)
            assert lowest <= value.min(), (kind, name, value)
            assert value.max() <= highest, (kind, name, value)
        if metric not in ("cycle_knn", "cknna"):  # see their tests
            assert found["x, x"] == pytest.approx(1, abs=1e-5), kind
    always = {"constant", "a row of zeros", "whole numbers"}
    assert always <= refused
    if shape[1] > 1:  # else a row is 1 or -1, and all may be alike
        assert refused == always


@pytest.mark.parametrize("seed", range(50))
def test_svcca_of_two_pairs_of_equal_items(seed):
    g = torch.Generator().manual_seed(seed)
    x, y = (
        torch.nn.functional.normalize(torch.randn(2, 3, generator=g), dim=1)[[0, 0, 1, 1]] for _ in range(2)
    )
    assert svcca(x, y) == pytest.approx(1, abs=1e-9)  # one direction each, and it is the same
    assert svcca(x, y[[0, 2, 1, 3]]) == pytest.approx(0, abs=1e-9)  # one each, and they are at right angles


def svcca(x, y):
    return float(pair_scores(layer_state("svcca", [x]), layer_state("svcca", [y])))


@pytest.mark.parametrize("dead", [0.0, 0.1, 7.3])
@pytest.mark.parametrize("live", [4, 12])
def test_svcca_with_dead_units(live, dead):
    """Units that are the same for all items count for nothing, whatever they are."""
    g = torch.Generator().manual_seed(live)
    x, y = torch.randn(100, live, generator=g), torch.randn(100, 16, generator=g)
    padded = torch.cat([x, torch.full((100, 16 - live), dead)], dim=1)
    assert svcca(padded, padded) == pytest.approx(1, abs=1e-12)
    assert svcca(padded, y) == pytest.approx(svcca(x, y), abs=1e-6)
    assert definitions.score("svcca", None, padded.double().numpy(), y.double().numpy()) == pytest.approx(
        svcca(padded, y), abs=1e-6
    )


def test_svcca_of_layers_of_different_ranks():
    """The mean is over the smaller of both ranks; layers of one model are not cut to the lowest of theirs."""
    g = torch.Generator().manual_seed(0)
    z = torch.randn(60, 30, generator=g)
    low = z[:, :2] @ torch.randn(2, 8, generator=g)
    layers = [low, z, z[:, :5]]
    states = layer_state("svcca", layers)
    found = pair_scores(states, states)
    for i, x in enumerate(layers):
        for j, y in enumerate(layers):
            alone = svcca(x, y)
            assert float(found[i, j]) == pytest.approx(alone, abs=1e-12)
            plain = definitions.score("svcca", None, x.double().numpy(), y.double().numpy())
            assert plain == pytest.approx(alone, abs=1e-5)
    assert float(found[0, 2]) == pytest.approx(1, abs=1e-6)  # two directions, which both have
    order = torch.randperm(60, generator=g)
    moved = layer_state("svcca", [layer[order] for layer in layers])
    assert torch.allclose(pair_scores(states, states, order), pair_scores(states, moved), atol=1e-9)


def test_windows_of_equal_distances_are_refused():
    y = prepare([np.random.default_rng(0).standard_normal((16, 4))], None)[0]
    with pytest.raises(InputError, match="all distances are equal; leave"):
        window_rows(torch.eye(16), y, [0, 0.5, 1], 5, 0.05, 5, 0.95, 0)


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e-20, 1e18, 1e36])
def test_scale_does_not_count(scale):
    x = torch.randn(30, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (plain,), (scaled,) = (prepare([layer], None) for layer in (x, x * scale))
    assert torch.allclose(plain, scaled, atol=1e-6 if scale > 1e-37 else 1e-3)  # float32 has few digits there
