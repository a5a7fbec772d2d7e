from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from prh.alignment.align import align_neighbors
from prh.alignment.density import density_rows, density_table
from prh.alignment.neighbors import index_layers
from prh.tables import MEAN

DRAWS = SimpleNamespace(permutations=99, alpha=0.05, resamples=200, confidence=0.95, seed=0)
K, N = 5, 60


def table_of(noise, seed, layers=2):
    """Neighbours of layers that are one signal, the same for all, and noise of their own."""
    signal = torch.randn(N, 6, generator=torch.Generator().manual_seed(0))
    own = torch.Generator().manual_seed(seed)
    return index_layers([signal + noise * torch.randn(N, 6, generator=own) for _ in range(layers)], K)


VISION = {"a": table_of(0.3, 1), "b": table_of(0.5, 2, layers=3), "noise": table_of(50, 3)}


def rows_of(language, level="name"):
    facts = {"dataset": "d", "level": level, "words": 1.0, "language": "m"}
    return density_rows(facts, language, VISION, ["a", "b"], K, DRAWS)


def test_scores_are_those_of_the_engine_and_their_mean():
    language = table_of(0.4, 4)
    rows, share = rows_of(language)
    found = pd.DataFrame(rows).set_index("vision")
    for name, table in VISION.items():
        expected = align_neighbors(language, table, k=K)
        assert found.score[name] == pytest.approx(expected.max(), abs=1e-9)
        assert expected[int(found.layer_x[name]), int(found.layer_y[name])] == expected.max()
    assert found.score[MEAN] == pytest.approx(found.score[["a", "b"]].mean(), abs=1e-9)
    assert share.mean() == pytest.approx(found.score[MEAN], abs=1e-9)
    assert (found.ci_low < found.score).all()
    assert (found.score < found.ci_high).all()
    assert found.p_value["a"] == 0.01  # of 99 permutations none
    assert found.p_value["noise"] > 0.05
    assert found.null_mean[MEAN] == pytest.approx(K / (N - 1), abs=0.03)


def test_captions_shuffled_are_at_chance():
    """k / (n - 1), the best of the layers; the control of a whole caption."""
    order = torch.randperm(N, generator=torch.Generator().manual_seed(5))
    language = table_of(0.4, 4)
    place = torch.empty_like(order)
    place[order] = torch.arange(N)
    rows, _ = rows_of(place[language[:, order].long()].int())
    found = pd.DataFrame(rows).set_index("vision")
    assert found.p_value[MEAN] > 0.05
    assert found.score[MEAN] < found.tau[MEAN]


def test_steps_are_paired_and_leave_the_control_out():
    shares, rows = {}, []
    for level, noise in [("name", 2.0), ("more", 0.4), ("more, of another item", 9.0), ("own caption", 0.3)]:
        made, shares["m", level] = rows_of(table_of(noise, 4), level)
        rows += made
    table = density_table(rows, shares, DRAWS)
    mean = table[table.vision == MEAN].set_index("level")
    assert np.isnan(mean.step["name"])
    assert mean.step["more"] == pytest.approx(mean.score["more"] - mean.score["name"])
    assert 0 < mean.step_low["more"] < mean.step["more"] < mean.step_high["more"]
    assert mean.step["more, of another item"] < 0
    assert mean.step["own caption"] == pytest.approx(mean.score["own caption"] - mean.score["more"])
    assert table[table.vision != MEAN].step.isna().all()
