"""Agreement of all pairs of models by one layer each."""

import numpy as np
import pytest
import torch

from prh.alignment.align import align
from prh.alignment.last_layers import COLUMNS, all_pairs
from prh.errors import InputError

SETTINGS = {
    "k": 10,
    "clamp": "exact",
    "resamples": 200,
    "confidence": 0.95,
    "count": 99,
    "alpha": 0.05,
    "seed": 0,
}


@pytest.fixture
def table():
    """A model, the same again, it with two strengths of noise, and with its items permuted."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 16, generator=generator)
    noise = torch.randn(200, 16, generator=generator)
    layers = {
        "x": x,
        "same": x.clone(),
        "near": x + noise,
        "far": x + 4 * noise,
        "permuted": x[torch.randperm(200, generator=generator)],
    }
    return all_pairs(layers, **SETTINGS), layers


def test_known_answers(table):
    found, layers = table
    assert found.columns.tolist() == COLUMNS
    score = found.set_index(["model_x", "model_y"]).score
    assert score["x", "same"] == 1
    assert 1 > score["x", "near"] > score["x", "far"]
    assert score["x", "permuted"] == pytest.approx(10 / 199, abs=0.02)
    assert score["x", "near"] == pytest.approx(align([layers["x"]], [layers["near"]]).score)


def test_intervals_and_nulls(table):
    found = table[0]
    assert (found.ci_low <= found.score).all()
    assert (found.score <= found.ci_high).all()
    np.testing.assert_allclose(found.null_mean, 10 / 199, atol=0.005)
    p = found.set_index(["model_x", "model_y"]).p_value
    assert p["x", "near"] == 0.01
    assert p["x", "permuted"] > 0.01


def test_a_model_without_neighbours_is_named():
    with pytest.raises(InputError, match="flat: layer 0: constant features"):
        all_pairs({"x": torch.randn(50, 4), "flat": torch.ones(50, 4)}, **SETTINGS)
