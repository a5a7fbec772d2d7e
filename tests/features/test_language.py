import pytest
import torch

from helpers.llama import save_llama
from prh.errors import InputError
from prh.features.language import extract_features, load

CAPTIONS = ["a red cat", "dog", "a blue dog runs .", "cat sleeps", "a a a a a a a a", "red"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny LLaMA."""
    path = tmp_path_factory.mktemp("tiny")
    save_llama(path)
    return path


def test_layers_are_mean_pooled_hidden_states(folder):
    model, tokenizer = load(folder, "text_encoder")
    layers = extract_features(model, tokenizer, CAPTIONS, batch_tokens=8)
    assert list(layers) == ["embedding", "block1", "block2", "block3"]
    for i, caption in enumerate(CAPTIONS):  # one by one: no padding, no mask
        with torch.inference_mode():
            states = model(**tokenizer(caption, return_tensors="pt"), output_hidden_states=True).hidden_states
        for state, pooled in zip(states, layers.values(), strict=True):
            torch.testing.assert_close(pooled[i], state[0].mean(dim=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_tokens", [1, 6, 100, None])
def test_the_batch_size_does_not_matter(folder, batch_tokens):
    model, tokenizer = load(folder, "text_encoder")
    some = extract_features(model, tokenizer, CAPTIONS, batch_tokens)
    other = extract_features(model, tokenizer, CAPTIONS, 3)
    for name in some:
        torch.testing.assert_close(some[name], other[name], rtol=1e-4, atol=1e-5)


def test_a_caption_without_tokens(folder):
    model, tokenizer = load(folder, "text_encoder")
    with pytest.raises(InputError, match="caption 1 "):
        extract_features(model, tokenizer, ["cat", " ", "dog"], 2)
