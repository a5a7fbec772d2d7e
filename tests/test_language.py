import math

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from prh import language, performance
from prh.errors import InputError

WORDS = ["<s>", "</s>", "a", "red", "blue", "cat", "dog", "runs", "sleeps", "."]
CAPTIONS = ["a red cat", "dog", "a blue dog runs .", "cat sleeps", "a a a a a a a a", "red"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny LLaMA with random weights and a tokenizer of ten words, as transformers saves them."""
    path = tmp_path_factory.mktemp("tiny")
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="."))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>").save_pretrained(path)
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(WORDS), **shape)).save_pretrained(path)
    return path


def test_layers_are_mean_pooled_hidden_states(folder):
    model, tokenizer = language.load(folder, "text_encoder")
    layers = language.extract_features(model, tokenizer, CAPTIONS, batch_tokens=8)
    assert list(layers) == ["embedding", "block1", "block2", "block3"]
    for i, caption in enumerate(CAPTIONS):  # one by one: no padding, no mask
        with torch.inference_mode():
            states = model(**tokenizer(caption, return_tensors="pt"), output_hidden_states=True).hidden_states
        for state, pooled in zip(states, layers.values(), strict=True):
            torch.testing.assert_close(pooled[i], state[0].mean(dim=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_tokens", [1, 6, 100, None])
def test_the_batch_size_does_not_matter(folder, batch_tokens):
    model, tokenizer = language.load(folder, "text_encoder")
    some = language.extract_features(model, tokenizer, CAPTIONS, batch_tokens)
    other = language.extract_features(model, tokenizer, CAPTIONS, 3)
    for name in some:
        torch.testing.assert_close(some[name], other[name], rtol=1e-4, atol=1e-5)


def test_a_caption_without_tokens(folder):
    model, tokenizer = language.load(folder, "text_encoder")
    with pytest.raises(InputError, match="caption 1 "):
        language.extract_features(model, tokenizer, ["cat", " ", "dog"], 2)


@pytest.mark.parametrize(
    ("n", "width", "stride"), [(10, 4, 2), (10, 4, 4), (11, 4, 3), (3, 8, 2), (1, 1, 1), (9, 4, 1)]
)
def test_windows_score_every_token_once(n, width, stride):
    spans = list(performance.windows(n, width, stride))
    scored = [i for _, scored_from, end in spans for i in range(scored_from, end)]
    assert scored == list(range(n))
    assert all(end - begin <= width for begin, _, end in spans)
    assert all(begin <= scored_from for begin, scored_from, _ in spans)


def test_bits_per_byte_of_a_uniform_model(folder):
    """A model that gives each of V words the same probability needs log2 V bits per token."""
    model, tokenizer = language.load(folder, "causal_lm")
    model.lm_head.weight.data.zero_()
    text = "a red cat runs . a blue dog sleeps ."
    found = performance.bits_per_byte(model, tokenizer, text, window=5, stride=2)
    assert found.tokens == 10
    assert found.bytes == len(text)
    assert found.bits_per_byte == pytest.approx(10 * math.log2(len(WORDS)) / len(text), rel=1e-6)


def test_bits_per_byte_is_the_chain_rule(folder):
    """One window over the whole text: the sum of -log2 p of each token, read off one forward pass."""
    model, tokenizer = language.load(folder, "causal_lm")
    text = "a red cat runs ."
    ids = torch.tensor([[0, *tokenizer(text)["input_ids"]]])
    with torch.inference_mode():
        chances = model(ids).logits[0].log_softmax(dim=-1)
    bits = -sum(chances[i, ids[0, i + 1]].item() for i in range(5)) / math.log(2)
    found = performance.bits_per_byte(model, tokenizer, text, window=64, stride=32)
    assert found.bits_per_byte == pytest.approx(bits / len(text), rel=1e-5)
    assert found.windows == 1


def test_bytes_are_utf8_bytes(folder):
    model, tokenizer = language.load(folder, "causal_lm")
    assert performance.bits_per_byte(model, tokenizer, "a é .", 8, 4).bytes == 6


def test_a_text_without_tokens(folder):
    model, tokenizer = language.load(folder, "causal_lm")
    with pytest.raises(InputError, match="no tokens"):
        performance.bits_per_byte(model, tokenizer, "  ", 8, 4)


def test_passage_ends_with_a_sentence():
    assert performance.passage("One two. Three four five. Six.", 0, 10) == "One two. Three four five."
    assert performance.passage("One two. Three four. Five.", 9, 3) == "Three four."
    with pytest.raises(InputError, match="are asked for"):
        performance.passage("Short.", 0, 100)


def test_the_longest_string_of_a_source_is_not_run():
    assert performance.longest_string("import nothing\nx = f('a', 'abc', ['ab'])\nraise SystemExit") == "abc"
