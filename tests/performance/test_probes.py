"""Probes find what was planted and nothing else, whatever the shape of the features, and are ridge regression as others do it."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge

from prh.audit.checks_transfer import balanced
from prh.errors import InputError
from prh.performance.probes import decompose, held_out
from prh.performance.tasks import coded

PENALTIES = [0.01, 0.1, 1, 10]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def planted(rng, n=400, d=30, classes=3, noise=1.0):
    """Features around a centre per class, the classes of unequal sizes: (n, d), (n,)."""
    labels = np.sort(rng.choice(classes, size=n, p=np.array([6, 3, 1]) / 10))
    return rng.standard_normal((classes, d))[labels] + noise * rng.standard_normal((n, d)), labels


def score(labels, predicted):
    return balanced(pd.DataFrame({"label": labels, "predicted": predicted}))


def probed(features, labels, rng):
    parts = rng.permutation(len(labels)) % 4
    predicted, penalties = held_out(features, labels[:, None], parts, PENALTIES)
    assert set(penalties.ravel()) <= set(PENALTIES)
    return score(labels, predicted[:, 0])


@pytest.mark.parametrize("d", [30, 900])  # fewer columns than training items, and more
def test_a_planted_signal_is_found_and_falls_with_the_noise(rng, d):
    found = [probed(*planted(rng, d=d, noise=noise), rng) for noise in (0.5, 4.0, 16.0, 64.0)]
    assert found[0] > 0.99
    assert found == sorted(found, reverse=True)
    assert abs(found[-1]) < 0.2


def test_permuted_labels_are_not_found(rng):
    features, labels = planted(rng)
    found = [probed(features, rng.permutation(labels), rng) for _ in range(20)]
    assert abs(np.mean(found)) < 0.03


def test_a_majority_class_is_worth_nothing(rng):
    labels = np.array([0] * 95 + [1] * 5)
    assert score(labels, np.zeros(100, dtype=int)) == 0
    assert score(labels, labels) == 1


@pytest.mark.parametrize("d", [20, 300])
def test_it_is_the_ridge_regression_of_scikit_learn(rng, d):
    x, labels = planted(rng, n=120, d=d)
    held = np.arange(120) % 3 == 0
    basis = decompose(torch.from_numpy(x[~held]), torch.from_numpy(x[held]))
    scaled = (x - x[~held].mean(axis=0)) / x[~held].std(axis=0)
    wanted = (labels[~held, None] == np.arange(3)).astype(float)
    peer = Ridge(alpha=0.3 * d).fit(scaled[~held], wanted)
    shrunk = (basis.s / (basis.s + 0.3 * d))[:, None]
    mean = torch.from_numpy(wanted.mean(axis=0))
    mine = mean + basis.held @ (shrunk * (basis.u.T @ (torch.from_numpy(wanted) - mean)))
    np.testing.assert_allclose(mine.numpy(), peer.predict(scaled[held]), atol=1e-8)


def test_no_held_out_item_has_a_say(rng):
    """What an item is given does not change with its own label."""
    features, labels = planted(rng, n=120)
    parts = np.arange(120) % 4
    before, _ = held_out(features, labels[:, None], parts, PENALTIES)
    other = np.where(parts == 0, (labels + 1) % 3, labels)
    after, _ = held_out(features, other[:, None], parts, PENALTIES)
    np.testing.assert_array_equal(before[parts == 0], after[parts == 0])


def test_tasks_together_are_as_each_alone(rng):
    features, labels = planted(rng, n=120)
    both, parts = np.stack([labels, rng.integers(2, size=120)], axis=1), np.arange(120) % 4
    together, _ = held_out(features, both, parts, PENALTIES)
    for task in (0, 1):
        alone, _ = held_out(features, both[:, [task]], parts, PENALTIES)
        np.testing.assert_array_equal(together[:, task], alone[:, 0])


def test_constant_features_change_nothing(rng):
    """But the width, of which the penalty is a multiple: so it is given the same."""
    features, labels = planted(rng, n=120)
    parts, more = np.arange(120) % 4, np.hstack([features, np.ones((120, 30))])
    few, _ = held_out(features, labels[:, None], parts, [2.0])
    many, _ = held_out(more, labels[:, None], parts, [1.0])
    np.testing.assert_array_equal(few, many)


def test_one_part_is_none(rng):
    with pytest.raises(InputError, match="all items of a task are in one part"):
        held_out(np.eye(4), np.zeros((4, 1), dtype=int), np.zeros(4), PENALTIES)


def test_coded_leaves_out_small_classes_and_items_without(rng):
    table = pd.DataFrame({"id": range(10), "a": [*"xxxxyyyyz", None], "b": [*"pqpqpqpqpq"]})
    items, codes, names = coded(table, np.arange(10), 3)
    assert items.tolist() == list(range(8))
    assert names == {"a": ["x", "y"], "b": ["p", "q"]}
    assert codes[:, 0].tolist() == [0] * 4 + [1] * 4
    with pytest.raises(InputError, match="task `a`: 1 classes have 3 items or more, two are needed"):
        coded(table, np.arange(6), 3)
