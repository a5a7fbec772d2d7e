"""Language models as distributions: against the official code's distances, and by what is known of them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from helpers.project import ROOT
from prh.errors import InputError
from prh.performance.bits_per_byte import bits_per_byte
from prh.performance.labels import LabelLikelihoods
from prh.performance.likelihoods import d_llv, d_logit, intervals

GIVEN = np.load(ROOT / "tests/data/official_related.npz", allow_pickle=False)
OFFICIAL = json.loads(str(GIVEN["outputs"]))["quantities"]
CASES = ("0", "1", "2")


def models(case):
    """Two models' logits (n, labels) and the dimension of their embeddings."""
    f1, g1, f2, g2 = (torch.from_numpy(GIVEN[f"{name}_{case}"]).double() for name in ("f1", "g1", "f2", "g2"))
    return f1 @ g1.T, f2 @ g2.T, f1.shape[1]


@pytest.mark.parametrize("case", CASES)
def test_d_logit_is_the_official_codes(case):
    a, b, _ = models(case)
    assert d_logit(a, b) ** 2 == pytest.approx(OFFICIAL["d2_logit"]["values"][case], rel=1e-6)
    likelihoods = a.log_softmax(dim=1), b.log_softmax(dim=1)
    assert d_logit(*likelihoods) == pytest.approx(d_logit(a, b), rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_d_llv_is_the_official_codes(case):
    a, b, dimension = models(case)
    found = d_llv(a.log_softmax(dim=1), b.log_softmax(dim=1), dimension, int(case))
    official = OFFICIAL["d_llv_max"]["values"][case]
    assert found == pytest.approx(
        {"d_llv": official["distance"], "t1": official["t1"], "t2": official["t2"]}, rel=1e-5
    )


def test_equal_models_are_at_0():
    a, _, dimension = models("1")
    assert d_logit(a, a + 3) == pytest.approx(0, abs=1e-12)  # a constant for each input is no difference
    assert d_llv(a, a, dimension, 0)["d_llv"] == pytest.approx(0, abs=1e-12)


def test_it_grows_with_the_difference():
    a, b, _ = models("1")
    near = [d_logit(a, a + share * (b - a)) for share in (0.1, 0.5, 1)]
    assert near == sorted(near)
    found = intervals(a, b, 500, 0.95, 0)
    assert found["ci_low"] < d_logit(a, b) < found["ci_high"]
    with pytest.raises(InputError, match="128 inputs are too few for models of width 128: 129 are needed"):
        d_llv(a, b, 128, 0)


class Tokenizer:
    """Words are tokens, by their numbers."""

    bos_token_id, eos_token_id = 0, 0

    def __call__(self, text, **_options):
        return {"input_ids": torch.tensor([[int(word) for word in text.split()]])}


def test_labels_are_the_commonest_tokens_and_places_come_once():
    windows = []

    def model(input_ids, logits_to_keep):
        windows.append(input_ids[0].tolist())
        logits = torch.nn.functional.one_hot(input_ids, 9).float() * 2
        return SimpleNamespace(logits=logits[:, -logits_to_keep:])

    text = "5 3 5 7 3 5 8 7"
    seen = LabelLikelihoods(Tokenizer(), text, 5, 2)
    assert seen.labels.tolist() == [3, 5]  # 3 and 7 stand twice: the lower one
    with_labels = bits_per_byte(model, Tokenizer(), text, 4, 2, seen=seen)
    assert windows == [[0, 5, 3, 5], [0, 5, 7, 3], [0, 3, 5, 8], [0, 8, 7]]
    total = float(torch.tensor([2.0] + [0.0] * 8).logsumexp(0))
    before = [0, 5, 3, 5, 7]  # the token before each place, in the window that scores it
    expected = [[2 * (token == label) - total for label in (3, 5)] for token in before]
    assert seen.values.tolist() == [pytest.approx(row) for row in expected]
    assert with_labels == bits_per_byte(model, Tokenizer(), text, 4, 2)
    with pytest.raises(
        InputError, match=r"the text has 8 tokens, 4 different ones; lower `performance\.likelihoods`"
    ):
        LabelLikelihoods(Tokenizer(), text, 9, 2)
