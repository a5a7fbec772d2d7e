import math

import numpy as np
import pytest

from prh.performance.correlation import correlate

OPTIONS = {"resamples": 500, "confidence": 0.95, "seed": 0}


def test_pearson_and_spearman_by_hand():
    x, y = [1, 2, 3, 4], [1, 4, 9, 16]
    assert correlate(x, y, "spearman", **OPTIONS).value == pytest.approx(1)
    assert correlate(x, y, "pearson", **OPTIONS).value == pytest.approx(25 / math.sqrt(5 * 129))


def test_three_points_are_too_few():
    found = correlate([1, 2, 3], [3, 4, 6], "pearson", **OPTIONS)
    assert found.n == 3
    assert all(math.isnan(value) for value in (found.value, found.ci_low, found.ci_high))


def test_a_constant_has_no_correlation():
    assert math.isnan(correlate([1, 1, 1, 1], [1, 2, 3, 4], "pearson", **OPTIONS).value)


def test_the_interval_covers_the_truth():
    """Of 100 samples with true correlation 0.6, the 95 % interval misses it in about 5; 15 would be a fault."""
    rng = np.random.default_rng(1)
    missed = 0
    for _ in range(100):
        x, noise = rng.standard_normal((2, 60))
        found = correlate(x, 0.6 * x + 0.8 * noise, "pearson", resamples=200, confidence=0.95, seed=0)
        missed += not found.ci_low <= 0.6 <= found.ci_high
    assert 0 < missed < 15


def test_the_seed_decides():
    x, y = np.random.default_rng(0).standard_normal((2, 20))
    assert correlate(x, y, "pearson", **OPTIONS) == correlate(x, y, "pearson", **OPTIONS)
    assert correlate(x, y, "pearson", **OPTIONS) != correlate(x, y, "pearson", **{**OPTIONS, "seed": 1})
