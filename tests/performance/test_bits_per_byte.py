"""Bits per byte of a text: counts, and what it must be by hand."""

import math

import pytest
import torch

from helpers.llama import WORDS, save_llama
from prh.errors import InputError
from prh.features.loading import load
from prh.performance.bits_per_byte import bits_per_byte, windows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny LLaMA."""
    path = tmp_path_factory.mktemp("tiny")
    save_llama(path)
    return path


@pytest.mark.parametrize(
    ("n", "width", "stride"), [(10, 4, 2), (10, 4, 4), (11, 4, 3), (3, 8, 2), (1, 1, 1), (9, 4, 1)]
)
def test_windows_score_every_token_once(n, width, stride):
    spans = list(windows(n, width, stride))
    scored = [i for _, scored_from, end in spans for i in range(scored_from, end)]
    assert scored == list(range(n))
    assert all(end - begin <= width for begin, _, end in spans)
    assert all(begin <= scored_from for begin, scored_from, _ in spans)


def test_bits_per_byte_of_a_uniform_model(folder):
    """A model that gives each of V words the same probability needs log2 V bits per token."""
    model, tokenizer = load(folder, "causal_lm")
    model.lm_head.weight.data.zero_()
    text = "a red cat runs . a blue dog sleeps ."
    found = bits_per_byte(model, tokenizer, text, window=5, stride=2)
    assert found.tokens == 10
    assert found.bytes == len(text)
    assert found.bits_per_byte == pytest.approx(10 * math.log2(len(WORDS)) / len(text), rel=1e-6)


def test_bits_per_byte_is_the_chain_rule(folder):
    """One window over the whole text: the sum of -log2 p of each token, read off one forward pass."""
    model, tokenizer = load(folder, "causal_lm")
    text = "a red cat runs ."
    ids = torch.tensor([[0, *tokenizer(text)["input_ids"]]])
    with torch.inference_mode():
        chances = model(ids).logits[0].log_softmax(dim=-1)
    bits = -sum(chances[i, ids[0, i + 1]].item() for i in range(5)) / math.log(2)
    found = bits_per_byte(model, tokenizer, text, window=64, stride=32)
    assert found.bits_per_byte == pytest.approx(bits / len(text), rel=1e-5)
    assert found.windows == 1


def test_bytes_are_utf8_bytes(folder):
    model, tokenizer = load(folder, "causal_lm")
    assert bits_per_byte(model, tokenizer, "a é .", 8, 4).bytes == 6


def test_a_text_without_tokens(folder):
    model, tokenizer = load(folder, "causal_lm")
    with pytest.raises(InputError, match="no tokens"):
        bits_per_byte(model, tokenizer, "  ", 8, 4)
