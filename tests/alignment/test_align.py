"""All layer pairs of two models, the best of them, and what is cached per model."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from helpers.project import ROOT
from helpers.scores import score_of
from prh.alignment.align import align, align_neighbors, align_states, best_pair, layer_state
from prh.alignment.catalogue import metric_name
from prh.alignment.metrics import METRICS
from prh.alignment.neighbors import index_layers
from prh.alignment.preprocess import prepare
from prh.errors import InputError

torch.set_num_threads(1)  # small products: threads only wait for each other

OFFICIAL = np.load(ROOT / "tests" / "data" / "official_layers.npz")
OUTPUTS = json.loads(str(OFFICIAL["outputs"]))


def models():
    return [OFFICIAL["x"][:, i] for i in range(5)], [OFFICIAL["y"][:, i] for i in range(4)]


@pytest.mark.parametrize("key", OUTPUTS)
def test_agrees_with_the_official_code_in_both_clamp_modes(key):
    metric, _, exact = key.partition("|exact=")
    name = metric_name(metric, 10 if METRICS[metric].needs_k else None)
    found = align(*models(), name, "exact" if exact == "True" else "sampled", "reference")
    score, layer_x, layer_y = OUTPUTS[key]
    assert found.score == pytest.approx(score, abs=1e-6)
    assert (found.layer_x, found.layer_y) == (layer_x, layer_y)
    assert found.scores.shape == (5, 4)
    assert found.scores[found.layer_x, found.layer_y] == found.score


@pytest.mark.parametrize("metric", METRICS)
def test_all_pairs_at_once_equal_each_by_itself(metric):
    x, y = (prepare(side) for side in models())
    x, y = x[:3], y[:2]
    k = 7 if METRICS[metric].needs_k else None
    together = align_states(metric, layer_state(metric, x, k), layer_state(metric, y, k))
    apart = [[score_of(metric, a, b, k=k) for b in y] for a in x]
    np.testing.assert_allclose(together, apart, atol=1e-4 if metric == "cka_rbf_0.1" else 1e-6)


@pytest.mark.parametrize("metric", [m for m, spec in METRICS.items() if spec.family == "neighbors"])
@pytest.mark.parametrize("k", [3, 10])
def test_cached_neighbours_give_the_same(metric, k):
    x, y = (prepare(side) for side in models())
    cached = align_neighbors(index_layers(x, 10), index_layers(y, 10), metric, k)
    np.testing.assert_array_equal(cached, align(*models(), metric_name(metric, k)).scores)


def test_layers_of_different_widths_and_low_precision():
    x, y = models()
    x[1] = x[1][:, :20]
    exact = align(x, y)
    halves = align([torch.from_numpy(layer).bfloat16() for layer in x], y)
    assert halves.scores.shape == exact.scores.shape
    assert np.abs(halves.scores - exact.scores).max() < 0.05


def test_concatenation_is_the_last_layer():
    assert align(*models(), concatenate=True).scores.shape == (6, 5)


def test_best_pair_takes_the_first_of_equals_and_negative_scores():
    best = best_pair(np.array([[0.1, 0.4], [0.4, 0.2]]))
    assert (best.score, best.layer_x, best.layer_y) == (0.4, 0, 1)
    best = best_pair(np.array([[-0.3, -0.1]]))
    assert (best.score, best.layer_x, best.layer_y) == (-0.1, 0, 1)
    official = best_pair(np.array([[-0.3, -0.1]]), mode="reference")
    assert (official.score, official.layer_x, official.layer_y) == (0.0, None, None)


def test_smallest_and_wide_sizes():
    g = torch.Generator().manual_seed(0)
    x, y = ([torch.randn(16, d, generator=g)] for d in (16384, 3))
    assert 0 <= align(x, y).score <= 1
    with pytest.raises(InputError, match="11 samples are too few for k = 10"):
        align([x[0][:11]], [y[0][:11]])


def test_bad_requests():
    x, y = models()
    with pytest.raises(InputError, match="no layers"):
        align([], y)
    with pytest.raises(InputError, match="x has 160 samples, y has 50"):
        align(x, [layer[:50] for layer in y])
    with pytest.raises(InputError, match="unknown metric"):
        align(x, y, "cosine")
    with pytest.raises(InputError, match="mutual_knn needs k"):
        align(x, y, "mutual_knn")
    with pytest.raises(InputError, match="no reference mode"):
        align(x, y, "rsa", mode="reference")


def test_the_benchmark_runs(tmp_path):
    script = ROOT / "benchmarks" / "alignment.py"
    command = [sys.executable, str(script), "--quick", "--threads", "1", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mutual_knn, from features" in done.stdout
    assert (tmp_path / "alignment.csv").stat().st_size > 0
    assert (tmp_path / "alignment.pdf").stat().st_size > 0
