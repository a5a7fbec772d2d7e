"""What a model takes against what a data set and a text have: said before anything is computed."""

import pandas as pd
import pytest
import torch
from transformers import AutoModel

from helpers.tiny_models import LANGUAGE, WORDS, save, save_tokenizer
from prh.audit import ways
from prh.errors import InputError
from prh.features.language import extract_features, features_of_captions
from prh.features.loading import check_text, load, positions_of, token_lengths

CAPTIONS = ["a red cat", "dog", "a blue dog runs .", "cat sleeps"]
LONG = " ".join(["red", "cat", "runs", "."] * 10)
SETTINGS = {"batch_tokens": 30, "mode": "robust", "pooling": "mean", "prompt": None, "long_captions": "error"}


class Machine:
    device, gpus, weights = "cpu", 0, {}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of one model of each kind."""
    return {kind: save(kind, tmp_path_factory.mktemp(kind)) for kind in LANGUAGE}


@pytest.mark.parametrize("kind", LANGUAGE)
def test_every_kind_gives_all_layers_one_by_one_or_together(kind, models):
    layers, facts = features_of_captions(CAPTIONS, models[kind], SETTINGS, Machine)
    assert {name: tuple(values.shape) for name, values in layers.items()} == dict.fromkeys(
        ("embedding", "block1", "block2"), (4, 16)
    )
    assert facts == {"pooling": "mean over valid tokens"}
    model, tokenizer = load(models[kind], "text_encoder")
    for i, caption in enumerate(CAPTIONS):
        with torch.inference_mode():
            states = model(**tokenizer(caption, return_tensors="pt"), output_hidden_states=True).hidden_states
        for state, pooled in zip(states, layers.values(), strict=True):
            torch.testing.assert_close(pooled[i], state[0].mean(dim=0), rtol=1e-4, atol=1e-5)


def test_a_model_of_masked_words_is_an_encoder_without_its_pooler(models):
    model, _ = load(models["bert_masked"], "text_encoder")
    whole = AutoModel.from_pretrained(models["bert_masked"])
    ids = torch.tensor([[2, 6, 8, 3]])
    with torch.inference_mode():
        assert torch.equal(model(ids).last_hidden_state, whole(ids).last_hidden_state)


# RoBERTa's positions begin after that of the pad token.
@pytest.mark.parametrize(("kind", "limit"), [("gpt2", 32), ("bert", 24), ("roberta", 25), ("llama", 64)])
def test_how_many_tokens_a_model_takes(kind, limit, models):
    model, tokenizer = load(models[kind], "text_encoder")
    assert positions_of(model) == limit
    if kind != "llama":  # whose positions have no table
        with torch.inference_mode():
            model(torch.full((1, limit), 6))
            with pytest.raises((IndexError, RuntimeError)):
                model(torch.full((1, limit + 1), 6))
    assert token_lengths(model, tokenizer, ["red"]) == [3 if "bert" in kind else 1]


def test_long_captions_are_named_and_counted(models):
    says = r"2 of 4 captions have more than the 24 tokens that the model takes \(caption 3 has 44\); shorten them, or set `features.l"
    with pytest.raises(InputError, match=says):
        features_of_captions(["red", LONG, "cat", f"{LONG} a cat"], models["bert"], SETTINGS, Machine)


@pytest.mark.parametrize("mode", ["robust", "reference"])
def test_long_captions_are_cut_and_counted(models, mode, tmp_path):
    settings = {**SETTINGS, "long_captions": "truncate", "mode": mode}
    layers, facts = features_of_captions(["red", LONG, "cat"], models["bert"], settings, Machine)
    assert facts["captions_cut"] == 1
    assert facts["long_captions"] == "truncate"
    model, tokenizer = load(models["bert"], "text_encoder")
    assert len(tokenizer(LONG)["input_ids"]) == 42
    cut = tokenizer(" ".join(LONG.split()[:22]), return_tensors="pt")
    with torch.inference_mode():
        states = model(**cut, output_hidden_states=True).hidden_states
    torch.testing.assert_close(layers["block2"][1], states[2][0].mean(dim=0), rtol=1e-4, atol=1e-5)
    params = {"settings": settings, "weights": {}}
    table = pd.DataFrame({"caption": [LONG]})
    again = ways.of_captions(params, None, {"model": models["bert"]}, table)
    assert abs(layers["block1"][1].numpy() - again[1][0]).max() < 1e-5
    none = features_of_captions(["red", "cat"], models["bert"], settings, Machine)[1]
    assert none["captions_cut"] == 0


def test_a_tokenizer_of_another_model(models, tmp_path):
    save("gpt2", tmp_path, vocab_size=len(WORDS) - 1)
    model, tokenizer = load(tmp_path, "text_encoder")
    with pytest.raises(InputError, match=r"gives token 12 \(`.`\), but the model's embedding has 12 rows"):
        extract_features(model, tokenizer, CAPTIONS)
    with pytest.raises(InputError, match="they do not belong together"):
        check_text(model, tokenizer, "a cat .", window=8)
    assert extract_features(model, tokenizer, ["a cat"])["block2"].shape == (1, 16)


def test_nothing_to_pad_with(tmp_path):
    save("gpt2", tmp_path)
    save_tokenizer("gpt2", tmp_path, eos_token=None)
    model, tokenizer = load(tmp_path, "text_encoder")
    with pytest.raises(InputError, match="neither a pad nor an EOS token to fill captions up with"):
        extract_features(model, tokenizer, CAPTIONS)


def test_a_window_longer_than_the_model_takes(models):
    model, tokenizer = load(models["gpt2"], "causal_lm")
    check_text(model, tokenizer, "a cat", window=32)
    with pytest.raises(InputError, match=r"`performance.window` is 33 tokens, but the model takes 32; lower"):
        check_text(model, tokenizer, "a cat", window=33)
