"""Correlations with bootstrap intervals."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

FEWEST = 4  # even a perfect order of three points comes about by chance once in six times


@dataclass(frozen=True)
class Correlation:
    """A correlation over n points and its percentile bootstrap interval; NaN where n is too small."""

    n: int
    value: float
    ci_low: float
    ci_high: float


def correlate(x, y, method, resamples, confidence, seed):
    """Pearson's r or Spearman's rho of x and y (n,), with a percentile bootstrap interval over the points.

    NaN throughout if there are fewer than FEWEST points; the interval is NaN if x or y is constant.
    Resamples in which x or y is constant are drawn but leave no value.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(x) < FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(len(x), math.nan, math.nan, math.nan)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(x), size=(resamples, len(x)))
    drawn = drawn[(np.ptp(x[drawn], axis=1) > 0) & (np.ptp(y[drawn], axis=1) > 0)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(_measured(x[drawn], y[drawn], method), [tail, 1 - tail])
    return Correlation(len(x), float(_measured(x, y, method)), float(low), float(high))


def _measured(x, y, method):
    """Correlations along the last axis; Spearman's rho is Pearson's r of the ranks."""
    if method == "spearman":
        x, y = stats.rankdata(x, axis=-1), stats.rankdata(y, axis=-1)
    return stats.pearsonr(x, y, axis=-1).statistic
