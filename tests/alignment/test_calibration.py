"""Permutation nulls, p- and q-values, calibrated scores, bootstrap intervals."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn.functional import normalize

from helpers.scores import score_of
from prh.alignment.calibration import (
    _resampler,
    bootstrap_interval,
    calibrate_states,
    null_maxima,
    one_layer,
    permutations,
    summarise,
)
from prh.alignment.metrics import METRICS, layer_state, pair_scores
from prh.errors import InputError

torch.set_num_threads(1)  # small products: threads only wait for each other

CALIBRATED = [m for m, spec in METRICS.items() if spec.cheap_null]


def models(n=40, layers=(3, 2), seed=0, noise=1.0):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(n, 6, generator=g)
    return [
        [
            normalize(z @ torch.randn(6, 15, generator=g) + noise * torch.randn(n, 15, generator=g), dim=1)
            for _ in range(c)
        ]
        for c in layers
    ]


def k_of(metric, k=5):
    return k if METRICS[metric].needs_k else None


def states(metric, **options):
    return [layer_state(metric, side, k_of(metric)) for side in models(**options)]


@pytest.mark.parametrize("metric", [m for m in CALIBRATED if m != "cka_rbf_0.1"])
def test_parity_with_the_authors_package(metric):
    peer = pytest.importorskip("calibrated_similarity")
    x, y = models()
    orders = permutations(40, 19)
    queue = iter(orders)
    score, p_value, tau = peer.calibrate_layers(
        x,
        y,
        lambda a, b: score_of(metric, a, b, k=k_of(metric)),
        K=19,
        smax=METRICS[metric].maximum,
        perm_fn=lambda n, device: next(queue),
    )
    ours = calibrate_states(*states(metric), orders=orders)
    exact = METRICS[metric].family == "neighbors"  # counts; kernels round differently in another order
    assert np.float32(ours.p_value) == np.float32(p_value)
    assert np.float32(ours.tau) == pytest.approx(float(tau), abs=0 if exact else 1e-6)
    assert ours.calibrated_score == pytest.approx(float(score), abs=1e-7 if exact else 2e-6)


def test_null_mean_of_mutual_knn_is_k_over_n_minus_1():
    x, y = (layer_state("mutual_knn", side, 5) for side in models(layers=(1, 1)))
    null = calibrate_states(x, y, count=2000).null
    assert null.mean() == pytest.approx(5 / 39, abs=4 * null.std() / 2000**0.5)
    debiased = calibrate_states(
        *(layer_state("mutual_knn_debiased", s, 5) for s in models(layers=(1, 1))), count=2000
    )
    assert abs(debiased.null_mean) < 0.005


@pytest.mark.parametrize("metric", ["mutual_knn", "unbiased_cka"])
def test_p_is_uniform_under_independence(metric):
    values = []
    for seed in range(150):
        x, y = models(seed=seed)[0][:2], models(seed=seed + 10**6)[1]
        a, b = (layer_state(metric, side, k_of(metric)) for side in (x, y))
        values.append(calibrate_states(a, b, count=39, seed=seed).p_value)
    jittered = np.array(values) - np.random.default_rng(0).random(150) / 40
    assert stats.kstest(jittered, "uniform").pvalue > 0.01
    assert 0.01 <= np.mean(np.array(values) <= 0.05) <= 0.11


def test_related_models_are_significant_and_unrelated_score_zero():
    found = calibrate_states(*states("mutual_knn", noise=0.2), count=99)
    assert found.p_value == 0.01
    assert 0 < found.calibrated_score < found.score
    x, y = models(seed=1)[0], models(seed=2)[1]
    chance = calibrate_states(*(layer_state("mutual_knn", side, 5) for side in (x, y)), count=99)
    assert chance.p_value > 0.05
    assert chance.calibrated_score == 0


def test_the_maximum_is_what_is_calibrated():
    x, y = states("mutual_knn")
    orders = permutations(40, 25)
    found = calibrate_states(x, y, orders=orders, per_pair=True)
    expected = [float(pair_scores(x, y, order).max()) for order in orders]
    np.testing.assert_array_equal(found.null, expected)
    assert found.tau >= found.pairs["tau"].max()
    for i in range(3):
        for j in range(2):
            alone = calibrate_states(one_layer(x, i), one_layer(y, j), orders=orders)
            assert found.pairs["p_value"][i, j] == alone.p_value
            assert found.pairs["calibrated_score"][i, j] == pytest.approx(alone.calibrated_score, abs=1e-12)


def test_seeded_and_shared_over_models():
    assert torch.equal(permutations(30, 4, seed=3), permutations(30, 4, seed=3))
    assert not torch.equal(permutations(30, 4, seed=3), permutations(30, 4, seed=4))
    assert all(order.sort().values.tolist() == list(range(30)) for order in permutations(30, 4))
    first, second = (calibrate_states(*states("mutual_knn"), count=20, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first.null, second.null)


def test_summary_by_hand():
    null = np.arange(19) / 100
    found = summarise(0.5, null)
    assert found["tau"] == 0.18  # the 19th smallest of 20
    assert found["p_value"] == 1 / 20
    assert found["calibrated_score"] == pytest.approx((0.5 - 0.18) / (1 - 0.18))
    assert summarise(0.5, null, maximum=None)["calibrated_score"] == pytest.approx(0.32)
    assert summarise(0.05, null)["calibrated_score"] == 0
    assert summarise(0.05, null)["p_value"] == (1 + 14) / 20
    assert summarise(1.0, np.ones(19))["calibrated_score"] == 0


@pytest.mark.parametrize("count", [19, 199, 200, 499, 500, 999])
def test_rank_of_tau_is_not_moved_by_rounding(count):
    null = np.arange(count, dtype=float)
    rank = -(-95 * (count + 1) // 100)
    assert summarise(10.0**6, null, maximum=None)["tau"] == rank - 1


@pytest.mark.parametrize("metric", ["mutual_knn", "cka", "cknna"])
def test_models_calibrated_together_are_as_those_calibrated_alone(metric):
    """Layers of several models in one state, cut at the models' first layers, give each pair's own null."""
    orders = permutations(40, 7)
    x, y = models(layers=(5, 4))
    together = [layer_state(metric, side, k_of(metric)) for side in (x, y)]
    null = null_maxima(*together, orders, starts_x=[0, 2], starts_y=[0, 1])
    assert null.shape == (7, 2, 2)
    for a, part_x in enumerate((x[:2], x[2:])):
        for b, part_y in enumerate((y[:1], y[1:])):
            alone = [layer_state(metric, side, k_of(metric)) for side in (part_x, part_y)]
            np.testing.assert_allclose(null[:, a, b], calibrate_states(*alone, orders=orders).null, atol=1e-6)


@pytest.mark.parametrize(
    "metric",
    [
        m
        for m in METRICS
        if METRICS[m].family not in ("subspace", "tree") and m not in ("cka_rbf_0.1", "cka_rbf_0.5")
    ],
)
def test_interval_holds_the_score_and_narrows_with_samples(metric):
    widths = []
    for n in (40, 200):
        x, y = states(metric, n=n)
        low, high = bootstrap_interval(x, y, 1, 0, count=300)
        assert low < float(pair_scores(x, y)[1, 0]) < high
        widths.append(high - low)
    assert widths[1] < 0.8 * widths[0]


def test_interval_of_mutual_knn_is_that_of_a_mean():
    x, y = states("mutual_knn", n=200)
    a, b = (layer_state("lcs_knn", side, 5).data[0].tolist() for side in models(n=200))
    shares = np.array([len({*p} & {*q}) / 5 for p, q in zip(a, b, strict=True)])
    low, high = bootstrap_interval(x, y, 0, 0, count=4000)
    assert (high - low) / 2 == pytest.approx(1.96 * shares.std() / math.sqrt(200), rel=0.08)
    assert bootstrap_interval(x, y, 0, 0, count=50) == bootstrap_interval(x, y, 0, 0, count=50)


@pytest.mark.parametrize("metric", ["cknna", "cknna_followup", "cknna_paper", "unbiased_cka"])
def test_unit_weights_give_the_score_itself(metric):
    x, y = (one_layer(state, 0) for state in states(metric))
    assert _resampler(x, y)(np.ones((40, 2))) == pytest.approx(float(pair_scores(x, y)), abs=1e-5)


def test_metrics_without_null_or_interval_say_so():
    x, y = states("procrustes")
    with pytest.raises(InputError, match="procrustes has no cheap form"):
        calibrate_states(x, y)
    assert all(math.isnan(end) for end in bootstrap_interval(x, y, 0, 0))


def test_bad_requests():
    x, y = states("mutual_knn")
    with pytest.raises(InputError, match="count = 0"):
        calibrate_states(x, y, count=0)
    with pytest.raises(InputError, match=r"alpha = 1\.5"):
        calibrate_states(x, y, count=5, alpha=1.5)


@pytest.mark.parametrize("n", [4, 6, 8])
def test_intervals_of_few_items_are_numbers(n):
    """Of some draws of few items no layer agrees with itself by CKNNA: they count as 0, and nothing is divided by rounding."""
    rng = np.random.default_rng(0)
    sides = [normalize(torch.tensor(rng.normal(size=(n, d)), dtype=torch.float32), dim=1) for d in (40, 30)]
    x, y = (layer_state("cknna", [side], n // 2) for side in sides)
    low, high = bootstrap_interval(x, y, 0, 0, 2000, 0.95, 0)
    assert -10 < low < high < 10
