"""What models solve, and how agreement goes with it: answers that are known, or worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from prh.errors import InputError
from prh.performance.competence import (
    convergence,
    pair_means,
    rank_correlations,
    solved,
    square,
    task_scores,
)
from prh.performance.maps import agreement, distances, map_of, place
from prh.performance.transfer import ALL, APART, MEAN, SHARE, relate, score_tasks
from prh.tables import COMPETENCE, CONVERGENCE, PREDICTIONS, TRANSFER


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_who_solves_a_task(rng):
    scores = rng.uniform(-0.1, 1, (11, 20))
    assert solved(scores, 0.8)[np.arange(11), scores.argmax(axis=1)].all()  # the best always does
    assert solved(scores, 0).all()
    more = np.hstack([scores, scores[:, :1]])  # a copy of a model takes nothing from the others
    np.testing.assert_array_equal(solved(more, 0.8)[:, :20], solved(scores, 0.8))
    assert solved(np.array([[0.5, 0.39, 0.4]]), 0.8).tolist() == [[True, False, True]]


def test_a_task_without_its_best_model():
    with pytest.raises(InputError, match="task `b`: no model is above chance"):
        solved(np.array([[0.2, 0.1], [-0.1, 0.0]]), 0.8, ["a", "b"])


def test_scores_intervals_and_nulls_of_a_task(rng):
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    half = np.where(rng.random(100) < 0.5, labels, (labels + 1) % 3)
    predicted = np.stack([labels, np.zeros(100, dtype=int), half], axis=1)
    score, again, null = task_scores(labels, predicted, 500, 200, rng)
    assert score[:2] == pytest.approx([1, 0])
    recall = np.mean([(half == labels)[labels == c].mean() for c in range(3)])
    assert score[2] == pytest.approx((recall - 1 / 3) / (2 / 3))
    assert (again[:, 0] == pytest.approx(1)) & (again[:, 1] == pytest.approx(0))
    low, high = np.quantile(again[:, 2], [0.025, 0.975])
    assert low < score[2] < high
    assert abs(null[:, [0, 2]].mean()) < 0.02
    assert np.quantile(null[:, 0], 0.95) > 0.02


SCORE = np.array([[0, 0.5, 0.3, 0.1], [0.5, 0, 0.4, 0.2], [0.3, 0.4, 0, 0.0], [0.1, 0.2, 0.0, 0]])
EVERY = ~np.eye(4, dtype=bool)


def test_mean_of_pairs_by_hand():
    found = pair_means(SCORE, EVERY, [[1, 1, 1, 0], [2, 1, 0, 0], [2, 1, 1, 0], [3, 0, 0, 0]])
    assert found[:3] == pytest.approx([0.4, 0.5, (2 * 0.5 + 2 * 0.3 + 0.4) / 5])
    assert np.isnan(found[3])


def test_bins_by_hand(rng):
    """Shares 0.9, 0.8, 0.6 and 0.1: three in the upper of two bins, one in the lower."""
    low, high, trend = convergence(
        SCORE, EVERY, np.array([0.9, 0.8, 0.6, 0.1]), np.array([0, 0.5, 1]), 300, 0.95, rng
    )
    assert (low["models"], low["pairs"]) == (1, 0)
    assert "value" not in low
    assert (high["models"], high["pairs"]) == (3, 3)
    assert high["value"] == pytest.approx(0.4)
    assert high["error"] == pytest.approx(0.1 / np.sqrt(3))
    assert high["ci_low"] == pytest.approx(0.3)  # two of the three drawn, whatever their copies
    assert high["ci_high"] == pytest.approx(0.5)
    lower = [0.8, 0.6, 0.1, 0.6, 0.1, 0.1]
    assert trend["value"] == pytest.approx(spearmanr([0.5, 0.3, 0.1, 0.4, 0.2, 0.0], lower).statistic)
    assert trend["p_value"] >= 1 / 301


def test_rank_correlations_leave_pairs_out_and_swap(rng):
    m = 9
    score, values = rng.random((m, m)), rng.integers(4, size=m) / 4
    score, counted = score + score.T, rng.random((m, m)) < 0.7
    counted = np.triu(counted, 1) | np.triu(counted, 1).T
    order = rng.permutation(m)
    found = rank_correlations(score, counted, values, np.arange(m)[None], np.stack([np.arange(m), order]))
    i, j = np.nonzero(np.triu(counted))
    for value, swapped in zip(found, (values, values[order]), strict=True):
        assert value == pytest.approx(spearmanr(score[i, j], np.minimum(swapped[i], swapped[j])).statistic)


def test_no_relation_is_found_where_there_is_none(rng):
    """Models' competences drawn apart from agreement: p-values below 0.1 come about one in ten times."""
    small = 0
    for _ in range(60):
        score = rng.random((10, 10))
        *_, trend = convergence(
            score + score.T, ~np.eye(10, dtype=bool), rng.random(10), np.array([0, 0.5, 1]), 99, 0.95, rng
        )
        small += trend["p_value"] <= 0.1
    assert small <= 14


def predictions(rng, noise):
    """What models of these noises give 90 items of three classes in two tasks."""
    rows = []
    for number, share in enumerate(noise):
        for task in ("a", "b"):
            labels = np.repeat([*"xyz"], 30)
            wrong = rng.random(90) < share
            rows.append(
                pd.DataFrame({"model": f"m{number}", "task": task, "item": range(90), "part": 0, "penalty": 1.0,
                              "label": labels, "predicted": np.where(wrong, np.roll(labels, 30), labels)})
            )  # fmt: skip
    return pd.concat(rows, ignore_index=True)[PREDICTIONS]


def test_tables_of_scores_and_competence(rng):
    noise = [0.0, 0.1, 0.5, 0.67]
    models = [f"m{i}" for i in range(4)]
    transfer, competence = score_tasks(predictions(rng, noise), models, 0.8, 200, 100, 0.95, 0)
    assert transfer.columns.tolist() == TRANSFER
    assert competence.columns.tolist() == COMPETENCE
    assert competence.solved.tolist() == [2, 2, 0, 0]
    assert competence.mean_score.is_monotonic_decreasing
    rounding = 1e-12
    assert (transfer.ci_low <= transfer.score + rounding).all()
    assert (transfer.score <= transfer.ci_high + rounding).all()
    assert transfer.groupby("task").of_best.max().eq(1).all()
    assert competence.mean_null.between(0, 0.15).all()
    assert competence.share_null.max() == 0
    again, _ = score_tasks(predictions(np.random.default_rng(0), noise), models, 0.8, 200, 100, 0.95, 0)
    pd.testing.assert_frame_equal(transfer, again)


def pairs_of(score, relations):
    i, j = np.triu_indices(len(score), 1)
    names = {"model_x": [f"m{a}" for a in i], "model_y": [f"m{b}" for b in j]}
    return pd.DataFrame({**names, "relation": relations, "score": score[i, j], "k": 10, "chance": 10 / 511})


def test_pairs_of_the_same_weights_are_left_out(rng):
    pairs = pairs_of(
        SCORE, ["same weights", "same family", "different", "same training", "different", "different"]
    )
    competence = pd.DataFrame(
        {
            "model": [f"m{i}" for i in range(4)],
            "share": [0.9, 0.8, 0.6, 0.1],
            "mean_score": [0.5, 0.4, 0.3, 0.0],
        }
    )
    table = relate(pairs, competence, 2, 100, 0.95, 0)
    assert table.columns.tolist() == CONVERGENCE
    found = table[table.quantity == "mean alignment"].set_index(["competence", "of", "low"])
    assert found.pairs[SHARE, ALL, 0.5] == 2  # of three
    assert found.pairs[SHARE, APART, 0.5] == 0
    assert found.value[SHARE, ALL, 0.5] == pytest.approx(0.35)
    assert np.isnan(found.ci_low[SHARE, ALL, 0.5])  # two pairs have no interval
    assert found.pairs[MEAN, ALL, 0.25] == 2
    trends = table[table.quantity == "Spearman"]
    assert trends.pairs.tolist() == [5, 3, 5, 3]


def test_a_map_of_what_lies_in_a_plane(rng):
    points = rng.standard_normal((12, 2))
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    places = place(apart, "mds", 0)
    assert agreement(apart, places) > 0.999
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-9)


def test_the_map_of_a_table(rng):
    points = rng.standard_normal((20, 2))
    score = np.exp(-np.linalg.norm(points[:, None] - points, axis=2))
    score[0, 1] = score[1, 0] = 0  # no neighbour in common
    found = map_of(pairs_of(score, "different"), [f"m{i}" for i in range(20)], "mds", 0.95, 0)
    assert np.isfinite(found[["x", "y"]]).all(axis=None)
    assert found.agreement.iloc[0] > found.agreement_null.iloc[0]


def test_distances():
    assert distances(1.0, 10, 512) == 0
    assert distances(0.0, 10, 512) == pytest.approx(np.log(2 * 10 * 512))  # half a hit
    assert distances(1 / 5120, 10, 512) == pytest.approx(np.log(5120))


def test_square_is_symmetric():
    table = square(pairs_of(SCORE, "different"), [f"m{i}" for i in range(4)])
    np.testing.assert_array_equal(table.to_numpy()[EVERY], SCORE[EVERY])
    assert np.isnan(np.diag(table)).all()
