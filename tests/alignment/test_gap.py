"""The modality gap: against the official code's values, and by what is known of it."""

import json

import numpy as np
import pytest
from scipy.stats import ortho_group

from helpers.project import ROOT
from prh.alignment import gap
from prh.errors import InputError

GIVEN = np.load(ROOT / "tests/data/official_related.npz", allow_pickle=False)
OFFICIAL = json.loads(str(GIVEN["outputs"]))["quantities"]["modality_gap"]["values"]
DRAWS = {"resamples": 200, "confidence": 0.95, "seed": 0}


def towers(case):
    """The two towers (n, d) of a reference case."""
    return GIVEN[f"u{case}"], GIVEN[f"v{case}"]


def made_up(n=60, d=8, seed=0):
    """Pairs that lie in two cones."""
    draw = np.random.default_rng(seed)
    shared = draw.normal(size=(n, d))
    return [shared + 0.3 * draw.normal(size=(n, d)) + 2 * side * np.eye(d)[0] for side in (1, -1)]


@pytest.mark.parametrize("case", OFFICIAL)
@pytest.mark.parametrize(("shift", "name"), [(0.0, "distance"), (0.5, "distance_at_0.5")])
def test_it_is_the_official_codes(case, shift, name):
    u, v = towers(case)
    found = gap.signed_gap(gap.shifted(u, v, shift), v, gap.gap_vector(u, v))
    assert found == pytest.approx(OFFICIAL[case][name], abs=1e-12)


def test_it_is_the_same_in_any_axes_and_order_of_pairs():
    u, v = made_up()
    turned = ortho_group.rvs(8, random_state=0)
    length = np.linalg.norm(gap.gap_vector(u, v))
    assert np.linalg.norm(gap.gap_vector(u @ turned, v @ turned)) == pytest.approx(length)
    assert np.linalg.norm(gap.gap_vector(u[::-1], 3 * v)) == pytest.approx(length)
    assert np.linalg.norm(gap.gap_vector(np.eye(2)[[0, 0]], -np.eye(2)[[0, 0]])) == pytest.approx(2)


def test_loss_and_retrieval_by_their_definitions():
    u, v = (gap.unit_rows(side) for side in made_up())
    logits = np.exp(7 * u @ v.T)
    both = [-np.log(np.diag(logits) / logits.sum(axis=axis)).mean() for axis in (0, 1)]
    assert gap.contrastive_loss(u, v, 7) == pytest.approx(np.mean(both))
    first = [int(np.argmax(row)) == i for i, row in enumerate(u @ v.T)]
    assert gap.found_first(u, v).tolist() == first
    assert not gap.found_first(np.ones((4, 2)), np.ones((4, 2))).any()  # all equal: none is first
    assert gap.contrastive_loss(np.ones((4, 2)), np.ones((4, 2)), 7) == pytest.approx(np.log(4))


def test_rows_of_shifts():
    u, v = made_up()
    rows = gap.describe_gap(u, v, [-0.5, 0, 0.5, 3], 10.0, 5, DRAWS)
    gaps = [row["gap"] for row in rows]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0 < gaps[0]
    now = rows[1]
    assert now["gap"] == pytest.approx(np.linalg.norm(gap.gap_vector(u, v)))
    assert now["gap_low"] < now["gap"] < now["gap_high"]
    cosines = gap.unit_rows(u) @ gap.unit_rows(v).T
    off = ~np.eye(len(u), dtype=bool)
    assert now["cosine_matched"] == pytest.approx(np.diag(cosines).mean())
    assert now["cosine_unmatched"] == pytest.approx(cosines[off].mean())
    own = gap.unit_rows(u) @ gap.unit_rows(u).T
    assert now["cosine_images"] == pytest.approx(own[off].mean())
    assert now["cosine_matched"] > now["cosine_unmatched"]


def test_no_gap_no_direction():
    u, _ = made_up()
    with pytest.raises(InputError, match="no gap, and no direction"):
        gap.shifted(u, u, 0.5)
