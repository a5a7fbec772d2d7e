"""Every metric: official outputs, hand-computed cases, other packages, its stated properties, bad input."""

import itertools
import json

import numpy as np
import pytest
import torch
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from torch.nn.functional import normalize

from helpers.project import ROOT
from helpers.scores import score_of
from prh.alignment.align import measure
from prh.alignment.catalogue import metric_name
from prh.alignment.knn_order import edit_distances, longest_common
from prh.alignment.metrics import METRICS, layer_state, pair_scores
from prh.errors import InputError

torch.set_num_threads(1)  # small products: threads only wait for each other

OFFICIAL = np.load(ROOT / "tests" / "data" / "official_metrics.npz")
OUTPUTS = json.loads(str(OFFICIAL["outputs"]))
OWN_NAMES = {"cka_rbf": "cka_rbf_1"}


def pair(n=64, d=12, e=20, noise=0.7, seed=0):
    """Two views of the same six-dimensional points, rows normalised."""
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(n, 6, generator=g)
    views = (z @ torch.randn(6, w, generator=g) + noise * torch.randn(n, w, generator=g) for w in (d, e))
    return tuple(normalize(view, dim=1) for view in views)


def k_of(metric, k=8):
    return k if METRICS[metric].needs_k else None


def official(case):
    return tuple(normalize(torch.from_numpy(OFFICIAL[side + case]), dim=1) for side in "xy")


@pytest.mark.parametrize(
    ("case", "key"), [(case, key) for case in OUTPUTS for key in OUTPUTS[case] if "svcca" not in key]
)
def test_reference_mode_gives_the_official_outputs(case, key):
    x, y = official(case)
    name, _, k = key.partition("@")
    k = len(x) // 2 if k == "half" else int(k) if k else None
    assert score_of(OWN_NAMES.get(name, name), x, y, k=k, mode="reference") == pytest.approx(
        OUTPUTS[case][key], abs=1e-6
    )


@pytest.mark.parametrize("mode", ["reference", "robust"])
@pytest.mark.parametrize("case", OUTPUTS)
def test_svcca_lies_among_the_official_runs(case, mode):
    mean, sd = OUTPUTS[case]["svcca_mean"], OUTPUTS[case]["svcca_sd"]
    assert abs(score_of("svcca", *official(case), mode=mode) - mean) < 3 * sd


def lists_of(*rows):
    return torch.tensor(rows, dtype=torch.int32)


@pytest.mark.parametrize(
    ("a", "b", "lcs", "edit"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], 4, 0),
        ([1, 2, 3, 4], [5, 6, 7, 8], 0, 4),
        ([1, 2, 3, 4], [2, 3, 4, 1], 3, 2),
        ([1, 2, 3, 4], [4, 3, 2, 1], 1, 4),
        ([1, 2, 3, 4], [2, 1, 4, 3], 2, 3),
        ([1, 2, 3, 4], [1, 9, 3, 8], 2, 2),
    ],
)
def test_sequences_by_hand(a, b, lcs, edit):
    assert longest_common(lists_of(a), lists_of(b)[None]).tolist() == [[lcs]]
    assert edit_distances(lists_of(a), lists_of(b)[None]).tolist() == [[edit]]


# Six samples with k = 2: sample by sample 2, 1, 0, 2, 1, 1 neighbours are shared.
TABLE_X = [[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]]
TABLE_Y = [[2, 1], [0, 3], [3, 4], [4, 5], [5, 0], [1, 4]]


def from_tables(metric, x=TABLE_X, y=TABLE_Y, k=2):
    return float(pair_scores(*(layer_state(metric, lists_of(table), k) for table in (x, y))))


def test_neighbour_metrics_by_hand():
    assert from_tables("mutual_knn") == pytest.approx(7 / 12)
    assert from_tables("mutual_knn_debiased") == pytest.approx((7 / 12 - 2 / 5) / (1 - 2 / 5))
    # i is found two steps on, first in y and then in x, by 0 (through 2 and 1), 1 (0), 3 (4, 5), 4 (5) and 5 (4).
    assert from_tables("cycle_knn") == pytest.approx(5 / 6)
    assert from_tables("lcs_knn") == pytest.approx((1 + 1 + 0 + 2 + 1 + 1) / 6 / 2)
    assert from_tables("edit_distance_knn") == pytest.approx(1 - (2 + 1 + 2 + 0 + 2 + 1) / 6 / 2)


@pytest.mark.parametrize("metric", ["mutual_knn", "cycle_knn"])
def test_sparse_tables_equal_sets(metric):
    x, y = pair()
    a, b = ([set(row) for row in layer_state("lcs_knn", [side], 8).data[0].tolist()] for side in (x, y))
    if metric == "mutual_knn":
        expected = sum(len(p & q) for p, q in zip(a, b, strict=True)) / (64 * 8)
    else:
        expected = sum(any(i in a[j] for j in b[i]) for i in range(64)) / 64
    assert score_of(metric, x, y, k=8) == pytest.approx(expected, abs=1e-12)


def dense_cknna(x, y, k, variant):
    """The four variants on dense float64 matrices, straight from their definitions."""
    x, y = x.double(), y.double()
    n = len(x)
    h = torch.eye(n, dtype=torch.float64) - 1 / n

    def mask(kernel):
        kernel = kernel.clone() if variant == "followup" else kernel.clone().fill_diagonal_(-torch.inf)
        return torch.zeros_like(kernel).scatter_(1, kernel.topk(k, dim=1).indices, 1)

    def align(a, b, shared):
        if variant == "paper":
            return (shared * (a @ h) * (b @ h)).sum()
        if variant == "centred":
            return (shared * (h @ a @ h) * (h @ b @ h)).sum()
        a, b = a * shared, b * shared
        if variant == "followup":
            return torch.trace(a @ h @ b @ h)
        cross = a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 * (a @ b).sum() / (n - 2)
        return torch.trace(a @ b) + cross

    left, right = x @ x.T, y @ y.T
    a, b = mask(left), mask(right)
    return float(align(left, right, a * b) / (align(left, left, a) * align(right, right, b)).sqrt())


@pytest.mark.parametrize("k", [2, 8, 30, 60])
@pytest.mark.parametrize("variant", ["paper", "centred", "code", "followup"])
def test_cknna_variants_equal_their_dense_definitions(variant, k):
    x, y = pair()
    metric = "cknna" if variant == "code" else f"cknna_{variant}"
    assert score_of(metric, x, y, k=k) == pytest.approx(dense_cknna(x, y, k, variant), abs=2e-6)


def test_code_cknna_exceeds_one_and_the_equations_do_not():
    x, y = (normalize(side + 3, dim=1) for side in pair(noise=3.0, seed=5))
    assert score_of("cknna", x, y, k=60) > 1.9
    assert score_of("cknna_followup", x, y, k=60) > 1.8
    assert score_of("cknna_paper", x, y, k=60) < 0.25


@pytest.mark.parametrize("sigma", [0.5, 1, 2, 5])
def test_rbf_cka_equals_its_definition(sigma):
    x, y = (side.double() for side in pair())
    h = torch.eye(64, dtype=torch.float64) - 1 / 64
    a, b = (h @ torch.exp(-(torch.cdist(s, s) ** 2) / (2 * sigma**2)) @ h for s in (x, y))
    expected = float((a * b).sum() / (a.norm() * b.norm()))
    assert score_of(f"cka_rbf_{sigma}", x.float(), y.float()) == pytest.approx(expected, abs=1e-5)


def test_rv_is_the_ratio_of_covariances():
    x, y = pair()
    a, b = (side - side.mean(dim=0) for side in (x, y))
    expected = (a.T @ b).square().sum() / ((a.T @ a).norm() * (b.T @ b).norm())
    assert score_of("rv", x, y) == pytest.approx(float(expected), abs=1e-6)


def test_rsa_equals_scipy_with_and_without_ties():
    x, y = pair()
    expected = spearmanr(pdist(x.double()), pdist(y.double())).statistic
    assert score_of("rsa", x, y) == pytest.approx(expected, abs=1e-5)
    corners = torch.tensor(list(itertools.product([1.0, -1.0], repeat=3)) * 2) / 3**0.5
    other = pair(n=16)[0]
    expected = spearmanr(pdist(corners.double()).round(5), pdist(other.double())).statistic
    assert score_of("rsa", corners, other) == pytest.approx(expected, abs=1e-2)


def test_procrustes_equals_scipy():
    x, y = pair(d=20, e=20)
    assert score_of("procrustes", x, y) == pytest.approx(
        (1 - procrustes(x.double().numpy(), y.double().numpy())[2]) ** 0.5, abs=1e-6
    )
    wide = normalize(torch.cat([x, torch.zeros(64, 100)], dim=1), dim=1)
    assert score_of("procrustes", wide, y) == pytest.approx(score_of("procrustes", x, y), abs=1e-6)


@pytest.mark.parametrize("cosine", [0.0, 0.8, 0.96, 0.997])
def test_unbiased_cka_of_itself_is_one_where_the_official_epsilon_drowns_it(cosine):
    g = torch.Generator().manual_seed(0)
    x = normalize(torch.randn(256, 4096, generator=g), dim=1) * (1 - cosine) ** 0.5
    x = normalize(x + normalize(torch.randn(1, 4096, generator=g), dim=1) * cosine**0.5, dim=1)
    assert score_of("unbiased_cka", x, x) == pytest.approx(1, abs=1e-5)
    if cosine > 0.99:
        assert score_of("unbiased_cka", x, x, mode="reference") < 0.01


@pytest.mark.parametrize("metric", METRICS)
def test_bounds_and_self(metric):
    x = pair()[0]
    spec, k = METRICS[metric], k_of(metric)
    if metric != "cycle_knn":  # a sample need not be a neighbour of its neighbours
        assert score_of(metric, x, x, k=k) == pytest.approx(1, abs=1e-5)
    values = [
        score_of(metric, *pair(seed=seed, noise=noise), k=k) for seed in range(3) for noise in (0.1, 30)
    ]
    if spec.maximum is not None:
        assert max(values) <= spec.maximum + 1e-4
    if spec.minimum is not None:
        assert min(values) >= spec.minimum - 1e-4


@pytest.mark.parametrize("metric", METRICS)
def test_symmetry_is_as_stated(metric):
    pairs = [pair(seed=seed, noise=2.0) for seed in range(4)]
    k = k_of(metric, 4)
    gaps = [abs(score_of(metric, x, y, k=k) - score_of(metric, y, x, k=k)) for x, y in pairs]
    assert (max(gaps) < 1e-6) == METRICS[metric].symmetric


@pytest.mark.parametrize("metric", METRICS)
def test_locality_is_as_stated(metric):
    """Of two far clusters one is turned: neighbours stay, global geometry does not."""
    g = torch.Generator().manual_seed(0)
    local = 0.05 * torch.randn(40, 6, generator=g)
    sides = torch.zeros(40, 6)
    sides[:20, 0], sides[20:, 1] = 1, 1
    x, y = normalize(sides + local, dim=1), pair(n=40)[1]
    # Turning one cluster leaves all products within clusters.
    angle = torch.tensor(0.6)
    turn = torch.eye(6)
    turn[0, 0], turn[0, 1], turn[1, 0], turn[1, 1] = angle.cos(), angle.sin(), -angle.sin(), angle.cos()
    moved = torch.cat([x[:20] @ turn, x[20:]])
    k = k_of(metric, 4)
    changed = abs(score_of(metric, x, y, k=k) - score_of(metric, moved, y, k=k))
    if METRICS[metric].family == "neighbors":
        assert changed < 1e-9
    if METRICS[metric].is_global and metric != "cka_rbf_0.1":  # so narrow a kernel sees next to nothing
        assert changed > 1e-4


@pytest.mark.parametrize("metric", [m for m, spec in METRICS.items() if spec.family == "neighbors"])
def test_ordinal_neighbour_metrics_see_the_order_within_the_list(metric):
    ids = [layer_state("lcs_knn", [side], 8).data for side in pair()]
    mine, swapped = (
        float(pair_scores(*(layer_state(metric, table, 8) for table in (x, ids[1]))))
        for x in (ids[0], ids[0].flip(2))
    )
    assert (abs(mine - swapped) > 1e-9) == METRICS[metric].ordinal


def test_rsa_sees_only_the_order_of_distances():
    # Points on a half circle: halving all angles is monotone in the distances.
    angles = torch.rand(40, generator=torch.Generator().manual_seed(0)) * 3
    x, bent = (torch.stack([t.cos(), t.sin()], dim=1) for t in (angles, angles / 2))
    assert score_of("rsa", x, bent) > 0.9999
    assert score_of("cka", x, bent) < 0.99


@pytest.mark.parametrize("metric", [m for m in METRICS if m != "cka_rbf_0.1"])
def test_batchable_is_as_stated(metric):
    """The mean over batches of 24 of 480 samples against the value for all; trees and ranks change less, and otherwise."""
    slight = METRICS[metric].kernel == "ranks" or METRICS[metric].family == "tree"
    x, y = pair(n=480, noise=1.5) if slight else pair(n=480, d=48, e=64, noise=3.0)
    k, small, large = k_of(metric), 0.015 if slight else 0.03, 0.02 if slight else 0.1
    batches = torch.randperm(480, generator=torch.Generator().manual_seed(0)).view(20, 24)
    mean = np.mean([score_of(metric, x[rows], y[rows], k=k) for rows in batches])
    gap = abs(mean - score_of(metric, x, y, k=k))
    if METRICS[metric].batchable:
        assert gap < small
    else:
        assert gap > large


@pytest.mark.parametrize("metric", METRICS)
def test_permuted_states_equal_permuted_features(metric):
    x, y = pair()
    k = k_of(metric)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    a = layer_state(metric, [x, y], k)
    relabelled = pair_scores(a, layer_state(metric, [y, x], k), order)
    computed = pair_scores(a, layer_state(metric, [y[order], x[order]], k))
    assert torch.allclose(relabelled, computed, atol=1e-5 if metric != "cka_rbf_0.1" else 1e-3)


@pytest.mark.parametrize("metric", METRICS)
def test_repeats_exactly_and_takes_numpy_and_float64(metric):
    x, y = pair()
    name = metric_name(metric, k_of(metric))
    first = measure(x, y, name)
    torch.randn(3)  # the global generator must not matter
    assert measure(x.numpy(), y.numpy(), name) == first
    assert measure(x.double(), y.double(), name) == pytest.approx(first, abs=1e-4)


@pytest.mark.parametrize("metric", ["cka", "unbiased_cka", "rv"])
def test_many_samples_go_by_way_of_features(metric, monkeypatch):
    x, y = pair()
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    states = [layer_state(metric, [side]) for side in (x, y)]
    expected = pair_scores(*states), pair_scores(*states, order)
    monkeypatch.setattr("prh.alignment.kernels.DENSE_LIMIT", 10)
    states = [layer_state(metric, [side]) for side in (x, y)]
    assert torch.allclose(pair_scores(*states), expected[0], atol=1e-5)
    assert torch.allclose(pair_scores(*states, order), expected[1], atol=1e-5)


def test_many_samples_are_looked_up_by_searching(monkeypatch):
    x, y = pair()
    expected = {m: score_of(m, x, y, k=8) for m in ("mutual_knn", "cycle_knn", "cknna")}
    monkeypatch.setattr("prh.alignment.knn_graph.LOOKUP_LIMIT", 10)
    for metric, value in expected.items():
        assert score_of(metric, x, y, k=8) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "cosine"}, "unknown metric 'cosine'"),
        ({"mode": "fast"}, "unknown mode 'fast'"),
        ({"k": None}, "mutual_knn needs k"),
        ({"metric": "cka"}, "cka takes no k"),
        ({"metric": "cknna", "k": 1}, "cknna needs k of at least 2"),
        ({"metric": "rsa", "k": None, "mode": "reference"}, "rsa is not in the official code"),
        ({"k": 15}, "16 samples are too few for k = 15: at least k \\+ 2 = 17"),
        ({"y": torch.ones(17, 3)}, "y: layer 0: constant features"),
        ({"y": torch.randn(17, 3)}, "x has 16 samples, y has 17"),
        ({"x": torch.full((16, 3), torch.nan)}, "x: layer 0, row 0: NaN"),
        ({"x": torch.zeros(16, 3)}, "x: layer 0, row 0: all features are zero"),
        ({"x": torch.ones(16)}, "shape \\(16,\\)"),
    ],
)
def test_bad_requests(arguments, message):
    x, y = pair(n=16)
    request = {"metric": "mutual_knn", "x": x, "y": y, "k": 5, "mode": "robust", **arguments}
    with pytest.raises(InputError, match=message):
        measure(
            request["x"],
            request["y"],
            metric_name(request["metric"], request["k"]),
            clamp=None,
            mode=request["mode"],
        )


def test_states_that_do_not_belong_together():
    x, y = pair()
    with pytest.raises(InputError, match="k differs: 5 and 6"):
        pair_scores(layer_state("mutual_knn", [x], 5), layer_state("mutual_knn", [y], 6))
    with pytest.raises(InputError, match="n differs: 64 and 32"):
        pair_scores(layer_state("cka", [x]), layer_state("cka", [y[:32]]))
    with pytest.raises(InputError, match="needs features"):
        layer_state("cknna", lists_of(TABLE_X), 2)
    with pytest.raises(InputError, match="holds only 2 neighbours"):
        layer_state("mutual_knn", lists_of(TABLE_X), 3)
