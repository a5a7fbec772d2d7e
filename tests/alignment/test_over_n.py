"""Alignment as items are added: which items are taken, each part as a run of its own, and what the figure makes of the draws."""

import numpy as np
import pandas as pd
import pytest
import torch

from helpers.project import ROOT
from prh.alignment.calibration import calibrate
from prh.alignment.over_n import index_parts, ks_of, pair_rows, parts_of
from prh.errors import InputError
from prh.figures.comparison import HERE, MANY, OVER_N, numbers_over_n
from prh.performance.published import read_over_n
from prh.tables import FIXED, MEAN, SHARE
from prh.tables import OVER_N as COLUMNS

PREPARATION = {"clamp": "exact", "concatenate": False, "device": "cpu"}
NULL = {"permutations": 39, "alpha": 0.05, "seed": 3, "resamples": 50, "confidence": 0.9}
ITEMS, SIZES, DRAWS, K, RATIO = 150, [30, 60], 3, 5, 0.1


def features(seed, of_the_same=True, layers=3):
    """Layers (ITEMS, d) of a model that sees the same things, or others, with noise that is least in the middle layer."""
    made = torch.Generator().manual_seed(0 if of_the_same else seed)
    things = torch.randn(ITEMS, 6, generator=made)
    own = torch.Generator().manual_seed(seed)
    return [
        things @ torch.randn(6, 9, generator=own)
        + (1 + 2 * abs(i - 1)) * torch.randn(ITEMS, 9, generator=own)
        for i in range(layers)
    ]


def measured(*models):
    """The parts, and the rows of the first two models as a table."""
    parts = parts_of(ITEMS, SIZES, DRAWS, NULL["seed"])
    indices = [index_parts(layers, parts, K, RATIO, **PREPARATION) for layers in models]
    return parts, pd.DataFrame(pair_rows(*indices, parts, K, RATIO, NULL))


def test_parts_are_disjoint_and_the_first_ones_nested():
    parts = parts_of(1000, [100, 200, 400], 4, 7)
    assert [(n, draw) for n, draw, _ in parts] == [
        *((100, i) for i in range(4)),
        *((200, i) for i in range(4)),
        *((400, i) for i in range(2)),
        (1000, 0),
    ]
    places = {(n, draw): set(taken) for n, draw, taken in parts}
    for n, draw, taken in parts:
        assert len(places[n, draw]) == n
        assert (np.diff(taken) > 0).all()
        others = [places[n, other] for size, other, _ in parts if size == n and other != draw]
        assert all(places[n, draw].isdisjoint(other) for other in others)
    assert places[100, 0] < places[200, 0] < places[400, 0]
    assert places[200, 1] == places[100, 2] | places[100, 3]
    assert parts[-1][2].tolist() == list(range(1000))
    again, another = parts_of(1000, [100], 1, 7), parts_of(1000, [100], 1, 8)
    assert again[0][2].tolist() == parts[0][2].tolist() != another[0][2].tolist()
    with pytest.raises(InputError, match=r"alignment_over_n.sizes`: 1000 of 1000 items"):
        parts_of(1000, [100, 1000], 1, 7)


def test_numbers_of_neighbours():
    assert [ks_of(n, 10, 0.01)[SHARE] for n in (40, 128, 256, 512, 1024, 1314, 10240)] == [
        1,
        1,
        3,
        5,
        10,
        13,
        102,
    ]
    assert ks_of(128, 10, 0.01)[FIXED] == 10


def test_each_part_is_a_run_of_its_own():
    """Score, layers, null and interval are those of the features of these items alone; the last part's are those of all."""
    x, y = features(1), features(2)
    parts, table = measured(x, y)
    assert len(table) == 2 * len(parts)
    for (n, draw, taken), (_, row) in zip(parts, table[table.rule == FIXED].iterrows(), strict=True):
        alone = calibrate(
            [layer[taken] for layer in x], [layer[taken] for layer in y], f"mutual_knn@{K}", **NULL
        )
        assert (row.n, row.draw, row.k) == (n, draw, K)
        assert (row.layer_x, row.layer_y) == (alone.layer_x, alone.layer_y)
        assert (row.ci_low, row.ci_high) == pytest.approx(alone.interval)
        for column in ("score", "null_mean", "tau", "p_value", "calibrated_score"):
            assert row[column] == pytest.approx(getattr(alone, column)), column
        assert row.chance == K / (n - 1)
    for rule, rows in table.groupby("rule"):
        last = rows.iloc[-1]
        assert last.fixed_layers_score == last.score
        assert (rows.fixed_layers_score <= rows.score).all()
        assert (rows.k == [ks_of(n, K, RATIO)[rule] for n in rows.n]).all()


def test_unrelated_models_stay_at_chance_at_every_n():
    """At fixed k the score falls with n, and so does its null: nothing is left of either."""
    _, table = measured(features(1, of_the_same=False), features(2, of_the_same=False))
    fixed = table[table.rule == FIXED].groupby("n").mean(numeric_only=True)
    assert fixed.score.is_monotonic_decreasing
    assert (fixed.score / fixed.null_mean).between(0.8, 1.25).all()
    assert (fixed.null_mean > fixed.chance).all()  # it is of the best layer pair, as the score is
    assert fixed.calibrated_score.max() < 0.03
    _, related = measured(features(1), features(2))
    assert related[related.n == ITEMS].calibrated_score.min() > 0.1


def test_other_items_are_refused():
    parts = parts_of(ITEMS, SIZES, DRAWS, 0)
    with pytest.raises(InputError, match="149 items, the models before have 150"):
        index_parts([layer[1:] for layer in features(1)], parts, K, RATIO, **PREPARATION)


def rows_of(pairs):
    """A table of so many pairs of models: two draws of 10 items, one of 25."""
    facts = {"dataset": "d", "chance": 0.1, "p_value": 0.05, "k": 2, "layer_x": 0, "layer_y": 1, "tau": 0.2}
    rows = [
        {**facts, "model_x": "a", "model_y": f"b{pair}", "rule": rule, "n": n, "draw": draw}
        | {"score": score + pair / 100, "ci_low": 0.25, "ci_high": 0.6, "null_mean": 0.15}
        | {"calibrated_score": (score + pair / 100 - 0.2) / 0.8, "fixed_layers_score": score}
        for pair in range(pairs)
        for rule in (FIXED, SHARE)
        for n, draw, score in ((10, 0, 0.3), (10, 1, 0.4), (25, 0, 0.5))
    ]
    return pd.DataFrame(rows)[COLUMNS]


def test_draws_are_taken_together():
    numbers = numbers_over_n(rows_of(1))
    assert list(numbers.columns) == OVER_N
    two, one = numbers.iloc[0], numbers.iloc[1]
    assert (two.n, two.draws, two.score, two.low, two.high) == pytest.approx((10, 2, 0.35, 0.3, 0.4))
    assert (two.calibrated_low, two.calibrated_high) == pytest.approx((0.125, 0.25))
    assert (one.n, one.draws, one.score, one.low, one.high) == pytest.approx((25, 1, 0.5, 0.25, 0.6))
    assert (one.calibrated_low, one.calibrated_high) == pytest.approx((0.0625, 0.5))
    assert set(numbers.model_x) == {"a"}


def test_the_mean_of_many_pairs():
    few, many = numbers_over_n(rows_of(MANY)), numbers_over_n(rows_of(MANY + 1))
    assert MEAN not in set(few.model_x)
    mean = many[(many.model_x == MEAN) & (many.rule == SHARE)].set_index("n")
    assert mean.score.tolist() == pytest.approx([0.35 + MANY / 200, 0.5 + MANY / 200])
    assert mean.low.isna().tolist() == [False, True]  # pairs that share models give no interval


def test_published_means_stand_beside():
    published = read_over_n(ROOT / "config/published/over_n.tsv")
    numbers = numbers_over_n(rows_of(1), published)
    others = numbers[numbers.origin != HERE]
    assert others.n.tolist() == [1024, 2048, 4096, 10240]
    assert others.score.tolist() == [0.096, 0.073, 0.058, 0.042]
    assert others.null_mean.tolist() == [0.012, 0.006, 0.003, 0.001]
    assert others.calibrated_score.tolist() == [0.083, 0.067, 0.054, 0.04]
    assert set(others.k) == {10}
    assert (others.calibrated_score < others.score).all()
    assert others.low.isna().all()
