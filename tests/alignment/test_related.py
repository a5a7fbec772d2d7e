"""The related papers' quantities: against what their official code returns, and by what is known of them."""

import json

import numpy as np
import pytest
import torch
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform

from helpers.project import ROOT
from helpers.scores import score_of
from prh.alignment import calibration, describe, trees, windows
from prh.alignment.catalogue import METRICS
from prh.alignment.metrics import layer_state, pair_scores
from prh.alignment.preprocess import prepare
from prh.audit import definitions
from prh.errors import InputError

GIVEN = np.load(ROOT / "tests/data/official_related.npz", allow_pickle=False)
OFFICIAL = json.loads(str(GIVEN["outputs"]))["quantities"]
CASES = ("0", "1", "2")


def sides(case):
    """The two sets of features (n, d) of a reference case, float64."""
    return [torch.from_numpy(GIVEN[f"{side}{case}"]).double() for side in "xy"]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("window", ["0_1", "0_0.075", "0.2_0.8", "0.4_0.6", "0_0.2", "0.8_1"])
@pytest.mark.parametrize("mode", ["robust", "reference"])
def test_trsa_is_the_official_codes(case, window, mode):
    expected = OFFICIAL[f"trsa_lu_{window}"]["values"][case]["pearson"]
    assert score_of(f"trsa_{window}", *sides(case), mode=mode) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_all_distances_are_rsa(case):
    assert score_of("trsa_0_1", *sides(case)) == pytest.approx(score_of("rsa", *sides(case)), abs=1e-12)


@pytest.mark.parametrize(
    "name", ["trsa_0.5_0.5", "trsa_0.8_0.2", "trsa_0_1.5", "trsa_-1_1", "trsa_0.5", "trsa_a_b"]
)
def test_a_window_that_is_none(name):
    assert name not in METRICS
    with pytest.raises(InputError, match="or trsa_L_U, of a window 0 <= L < U <= 1"):
        score_of(name, *sides("0"))


def test_a_window_that_is_not_listed():
    assert "trsa_0.1_0.45" in METRICS
    assert METRICS["trsa_0.1_0.45"].window == (0.1, 0.45)
    assert "trsa_0.1_0.45" not in list(METRICS)


def lite(case):
    """The raw distance, and the weights of both trees."""
    x, y = (layer_state("rtd_lite", [side]).data for side in sides(case))
    score = trees.tree_scores(x, y, torch.arange(x.n)[None])[0].numpy()
    return float(trees.distances_lite(x, y, score)[0, 0]), float(x.weights[0]), float(y.weights[0])


@pytest.mark.parametrize("case", CASES)
def test_rtd_lite_is_the_official_codes(case):
    distance, one, other = lite(case)
    bars = [OFFICIAL[f"rtd_lite_bars_{way}"]["values"][case]["sum"] for way in ("1->2", "2->1")]
    assert distance == pytest.approx(sum(bars) / 2, rel=1e-12)
    assert distance == pytest.approx(
        OFFICIAL["rtd_lite_sum"]["values"][case], rel=2e-6
    )  # which is of float32
    for mode in ("robust", "reference"):
        score = score_of("rtd_lite", *sides(case), mode=mode)
        assert score == pytest.approx(1 - distance / ((one + other) / 2), abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_rtd_is_at_least_rtd_lite(case):
    """Each way by itself (the exact sequence of Barannikov et al. 2022)."""
    for rtd, bars in (("rtd_12_quantile", "1->2"), ("rtd_21_quantile", "2->1")):
        assert (
            OFFICIAL[rtd]["values"][case] >= OFFICIAL[f"rtd_lite_bars_{bars}"]["values"][case]["sum"] - 1e-6
        )


def test_a_tree_is_that_of_scipy():
    rng = np.random.default_rng(0)
    for points in (
        rng.standard_normal((200, 12)),
        rng.integers(3, size=(150, 3)).astype(float),
    ):  # the second has equals
        ends, lengths = trees.spanning_tree(points)
        assert lengths.sum() == pytest.approx(linkage(points, "single")[:, 2].sum(), rel=1e-9)
        assert lengths.sum() == pytest.approx(definitions.tree_weight(squareform(pdist(points))), rel=1e-9)
        assert len({*ends.ravel()}) == len(points)


def test_the_quantile_of_many_distances_is_that_of_all(monkeypatch):
    points = np.random.default_rng(0).standard_normal((300, 5))
    expected = np.quantile(squareform(pdist(points)), 0.9)
    assert trees.distance_quantile(points) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(trees, "BLOCK", 64)
    assert trees.distance_quantile(points) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(trees, "BINS", 8)
    assert trees.distance_quantile(points) == pytest.approx(expected, rel=1e-12)


def test_trees_of_many_samples_are_those_of_few(monkeypatch):
    whole = lite(CASES[0])
    monkeypatch.setattr("prh.alignment.distances.DENSE_LIMIT", 10)
    assert lite(CASES[0]) == pytest.approx(whole, rel=1e-9)
    with pytest.raises(InputError, match="layer 1: rtd_lite is not defined"):
        layer_state("rtd_lite", [sides("0")[0], torch.ones(64, 3)])


def test_equal_samples_weigh_nothing():
    x, y = (side[:40].repeat(2, 1) for side in sides("0"))
    doubled, single = (layer_state("rtd_lite", [part]).data.weights[0] for part in (x, x[:40]))
    assert doubled == pytest.approx(single, rel=0.1)
    assert score_of("rtd_lite", x, x) == pytest.approx(1)
    assert score_of("rtd_lite", x, y) == pytest.approx(
        definitions.score("rtd_lite", None, x.numpy(), y.numpy()), abs=1e-7
    )


def test_the_collapsed_layer_does_not_win():
    """A layer without spread has a small tree, and so the smallest raw distance to anything; its score is not the highest."""
    _, y = sides("0")
    g = torch.Generator().manual_seed(0)
    near = y + 0.3 * y.std() * torch.randn(y.shape, generator=g, dtype=y.dtype)
    heap = 1e-3 * torch.randn(64, 2, generator=g, dtype=y.dtype)
    heap[:8] += 5 * torch.randn(8, 2, generator=g, dtype=y.dtype)  # a few far away, by which it is measured
    model = layer_state("rtd_lite", [heap, near])
    other = layer_state("rtd_lite", [y])
    scores = pair_scores(model, other)
    raw = trees.distances_lite(model.data, other.data, scores.numpy())
    assert int(scores.argmax()) == 1
    assert float(raw[0, 0]) > 0
    assert float(scores[1]) > float(scores[0])


def test_too_many_samples_and_none_that_differ():
    with pytest.raises(InputError, match="rtd_lite takes at most 20,000 samples, here 20,001; take fewer"):
        layer_state("rtd_lite", [torch.zeros(20_001, 1)])
    with pytest.raises(
        InputError, match="layer 1: rtd_lite is not defined, nine tenths of its distances are 0"
    ):
        layer_state("rtd_lite", [sides("0")[0], torch.ones(64, 3)])


def test_no_triangle_of_mutual_neighbours_is_broken():
    """For any three layers m(A, C) >= m(A, B) + m(B, C) - 1: k neighbours that B shares with both are shared."""
    g = torch.Generator().manual_seed(0)
    for noise in (0.1, 0.5, 2.0, 10.0):
        base = torch.randn(90, 12, generator=g)
        layers = [base + noise * torch.randn(90, 12, generator=g) for _ in range(6)]
        state = layer_state("mutual_knn", layers, 7)
        m = pair_scores(state, state)
        gaps = m[:, None, :] - (m[:, :, None] + m[None, :, :] - 1)
        assert float(gaps.min()) >= -1e-12


def test_windows_are_the_metric_of_their_name():
    x, y = sides("1")
    rows = windows.window_rows(x, y, [0, 0.1, 0.5, 1], 19, 0.05, 20, 0.95, 0)
    assert [(row["low"], row["high"]) for row in rows] == [(0, 0.1), (0.1, 0.5), (0.5, 1)]
    for row in rows:
        metric = f"trsa_{row['low']}_{row['high']}"
        expected = score_of(metric, x, y)
        assert row["score"] == pytest.approx(expected, abs=1e-6)
        assert row["ci_low"] <= row["score"] <= row["ci_high"]
        assert abs(row["null_mean"]) < 0.1
        alone = calibration.calibrate_states(
            *(layer_state(metric, [side]) for side in (x, y)), count=19, alpha=0.05, seed=0
        )
        assert row["p_value"] == alone.p_value >= 1 / 20
        for name in ("tau", "null_mean", "calibrated_score"):
            assert row[name] == pytest.approx(getattr(alone, name), abs=1e-6), name


def test_agreement_planted_in_near_pairs_is_found_there():
    """Groups of near items that both models know, at places that they do not share."""
    g = torch.Generator().manual_seed(0)
    group = torch.arange(120) // 6
    layers = [
        torch.randn(20, 8, generator=g)[group] + 0.2 * torch.randn(120, 8, generator=g) for _ in range(2)
    ]
    near, far = windows.window_rows(*layers, [0, 0.05, 1], 19, 0.05, 10, 0.95, 0)
    assert near["score"] > 0.8
    assert abs(far["score"]) < 0.25


@pytest.mark.parametrize("window", ["0_0.075", "0.9_1", "0.2_0.8"])
def test_a_window_in_which_all_are_equal_is_a_step(window):
    """As in a layer that the clamp leaves with few different rows: most pairs are at the same distance."""
    x, y = sides("2")
    few = torch.eye(4, dtype=torch.float64)[
        torch.arange(200) % 4
    ]  # a quarter of the pairs at 0, the others at one distance
    found = score_of(f"trsa_{window}", few, y)
    expected = definitions.score(f"trsa_{window}", None, few.numpy(), y.numpy())
    assert found == pytest.approx(expected, abs=1e-6)
    assert score_of(f"trsa_{window}", few, few) == pytest.approx(1)
    low, high = map(float, window.split("_"))
    (row,) = windows.window_rows(few, y, [low, high], 19, 0.05, 10, 0.95, 0)
    assert row["score"] == pytest.approx(expected, abs=1e-6)
    assert np.isfinite(score_of(f"trsa_{window}", x, few))


@pytest.mark.parametrize("spread", [0, 1e-8, 1e-7])
@pytest.mark.parametrize("window", ["0_0.01", "0.01_0.05"])
def test_rows_that_differ_by_rounding_are_equal_in_every_window(spread, window):
    """As a clamp makes them: their distances are none, and not ranked by noise, here and in the definition."""
    rng = np.random.default_rng(0)
    groups, noise = rng.normal(size=(30, 16))[rng.integers(30, size=300)], rng.normal(size=(300, 16))
    raw = [(groups + spread * noise).astype(np.float32)]
    raw.append((raw[0] @ rng.normal(size=(16, 16))).astype(np.float32))
    ours = [prepare([torch.from_numpy(layer)], "exact", False)[0] for layer in raw]
    plain = [definitions.Prepared([layer], "exact", False)[0] for layer in raw]
    low, high = map(float, window.split("_"))
    (row,) = windows.window_rows(*ours, [low, high], 19, 0.05, 10, 0.95, 0)
    assert row["score"] == pytest.approx(definitions.score(f"trsa_{window}", None, *plain), abs=1e-3)
    assert score_of(f"trsa_{window}", *ours) == pytest.approx(row["score"], abs=1e-6)


def test_cone_and_dimension_of_known_layers():
    g = torch.Generator().manual_seed(0)
    ball = torch.randn(3000, 10, generator=g)
    flat = torch.cat([ball[:, :3], torch.zeros(3000, 7)], dim=1)
    rows = describe.describe_layers([ball, flat + 50, 1000 * ball], None)
    assert [row["layer"] for row in rows] == [0, 1, 2]
    assert rows[0]["dimension"] == pytest.approx(10, rel=0.01)
    assert rows[1]["dimension"] == pytest.approx(3, rel=0.01)
    assert rows[2]["dimension"] == pytest.approx(rows[0]["dimension"], rel=1e-5)
    assert abs(rows[0]["mean_cosine"]) < 0.01
    assert rows[1]["mean_cosine"] > 0.99
    assert rows[2]["norm"] == pytest.approx(1000 * rows[0]["norm"], rel=1e-5)
    assert all(row["clamped"] == 0 for row in rows)
    clamped = describe.describe_layers([ball, 1000 * ball], "exact")
    assert clamped[0]["clamped"] == 0
    assert clamped[1]["clamped"] == pytest.approx(0.1, abs=0.01)


def test_mean_cosine_is_that_of_all_pairs():
    layer = sides("2")[0]
    unit = torch.nn.functional.normalize(layer, dim=1)
    cosines = (unit @ unit.T)[tuple(torch.triu_indices(200, 200, 1))]
    assert describe.mean_cosine(layer) == pytest.approx(float(cosines.mean()), abs=1e-12)
    wide = torch.randn(20, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spectrum = torch.linalg.svdvals(wide - wide.mean(dim=0)).square()
    expected = float(spectrum.sum() ** 2 / spectrum.square().sum())
    assert describe.participation_ratio(wide) == pytest.approx(expected, rel=1e-9)
