"""Correlations with bootstrap intervals."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

FEWEST = 3  # with two points every correlation is 1 or -1


@dataclass(frozen=True)
class Correlation:
    """A correlation over n points and its percentile bootstrap interval; NaN where n is too small."""

    n: int
    value: float
    ci_low: float
    ci_high: float


def correlate(x, y, method, resamples, confidence, seed):
    """Pearson's r or Spearman's rho of x and y (n,), with a percentile bootstrap interval over the points.

    NaN throughout if there are fewer than three points; the interval is NaN if x or y is constant.
    Resamples in which x or y is constant are drawn but leave no value.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    measure = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[method]
    if len(x) < FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(len(x), math.nan, math.nan, math.nan)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(x), size=(resamples, len(x)))
    values = [measure(x[i], y[i]).statistic for i in drawn if np.ptp(x[i]) and np.ptp(y[i])]
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Correlation(len(x), float(measure(x, y).statistic), float(low), float(high))
