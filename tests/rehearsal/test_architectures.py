"""Language models of each of the paper's architectures, tiny and random: loading, modes, pooling, captions' scores."""

import inspect
import math
import os
import shutil
from types import SimpleNamespace

import pytest
import standins
import torch
from PIL import Image
from transformers import AutoModelForCausalLM, BertConfig, BertModel, GPT2Config, OPTConfig

from prh.errors import InputError
from prh.features import batching, dual_encoder, language, summaries
from prh.features.loading import load
from prh.performance.bits_per_byte import caption_bits_per_byte
from prh.sources import hub_models, hub_pairs
from prh.sources.datasets import paths_of, read_captions

ARCHITECTURES = {
    "BLOOM": "bigscience/bloomz-560m",
    "OpenLLaMA": "openlm-research/open_llama_3b",
    "LLaMA": "huggyllama/llama-7b",
    "OLMo": "allenai/OLMo-1B-hf",
    "Gemma": "google/gemma-2b",
    "Mistral": "mistralai/Mistral-7B-v0.1",
    "Mixtral": "mistralai/Mixtral-8x7B-v0.1",
    "Llama 3": "meta-llama/Meta-Llama-3-8B-Instruct",
    "Qwen3": "Qwen/Qwen3-0.6B-Base",
    "OLMo 2": "allenai/OLMo-2-0425-1B",
    "Gemma 3": "google/gemma-3-1b-pt",
    "Gemma 3 with images": "google/gemma-3-4b-pt",
    "Llama 3.2": "meta-llama/Llama-3.2-1B",
    "SmolLM3": "HuggingFaceTB/SmolLM3-3B-Base",
}
ENCODERS = {"SimCSE": "princeton-nlp/unsup-simcse-roberta-large", "RoBERTa": "FacebookAI/roberta-large"}
ABSOLUTE = {"GPT-2": GPT2Config(vocab_size=512, n_embd=32, n_layer=3, n_head=4)}
ABSOLUTE["OPT"] = OPTConfig(
    vocab_size=512,
    hidden_size=32,
    num_hidden_layers=3,
    ffn_dim=64,
    num_attention_heads=4,
    word_embed_proj_dim=32,
)
CAPTIONS = [text for text, *_ in standins.captions(10)]
CAPTIONS += [CAPTIONS[0] + ", " + CAPTIONS[1], "a", "picture " * 30]
ROOM = 80  # tokens in a batch: several captions of unequal length, so that there is padding


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a model of an architecture lies, as `fetch_hub_model` leaves it."""
    root = tmp_path_factory.mktemp("architectures")

    def make(name):
        path = root / name
        if path.exists():
            return path
        if name in ARCHITECTURES | ENCODERS:
            repo = (ARCHITECTURES | ENCODERS)[name]
            (standins.text_encoder if name in ENCODERS else standins.language_model)(root / "hub", repo)
            shutil.copytree(root / "hub" / "models" / repo / "main", path)
        else:
            torch.manual_seed(0)
            shutil.copytree(make("BLOOM"), path)
            AutoModelForCausalLM.from_config(ABSOLUTE[name]).save_pretrained(path)
        hub_models.make_safetensors(path)
        hub_models.check_weights(path)
        return path

    return make


@pytest.mark.parametrize("name", [*ARCHITECTURES, *ABSOLUTE])
def test_every_mode_gives_the_features_of_captions_without_padding(folder, name):
    model, tokenizer = load(folder(name), "text_encoder")
    robust = language.extract_features(model, tokenizer, CAPTIONS, ROOM)
    reference = language.extract_features(model, tokenizer, CAPTIONS, ROOM, mode="reference")
    assert len(robust) == 4
    accepted = inspect.signature(model.forward).parameters
    for i, caption in enumerate(CAPTIONS):
        tokens = tokenizer(caption, return_tensors="pt")
        given = {key: value for key, value in tokens.items() if key in accepted}
        with torch.inference_mode():
            states = model(**given, output_hidden_states=True).hidden_states
        for state, one, other in zip(states, robust.values(), reference.values(), strict=True):
            expected = state[0].mean(dim=0)
            torch.testing.assert_close(one[i], expected, rtol=1e-3, atol=1e-4)
            torch.testing.assert_close(other[i], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_modes_agree_within_the_rounding_of_bfloat16(folder, name):
    model, tokenizer = load(folder(name), "text_encoder", dtype="bfloat16")
    assert model.dtype == torch.bfloat16
    robust = language.extract_features(model, tokenizer, CAPTIONS, ROOM)
    reference = language.extract_features(model, tokenizer, CAPTIONS, ROOM, mode="reference")
    for one, other in zip(robust.values(), reference.values(), strict=True):
        error = (one - other).norm(dim=1) / one.norm(dim=1)
        assert error.max() < 8 * 2**-8  # a few roundings of 8 bits


def test_the_last_token(folder):
    model, tokenizer = load(folder("LLaMA"), "text_encoder")
    robust = language.extract_features(model, tokenizer, CAPTIONS, ROOM, pooling="last")
    reference = language.extract_features(model, tokenizer, CAPTIONS, ROOM, mode="reference", pooling="last")
    with torch.inference_mode():
        ids = tokenizer(CAPTIONS[3], return_tensors="pt")["input_ids"]
        states = model(ids, output_hidden_states=True).hidden_states
    for state, one, other in zip(states, robust.values(), reference.values(), strict=True):
        torch.testing.assert_close(one[3], state[0, -1], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(other[3], state[0, -1], rtol=1e-3, atol=1e-4)


def test_the_prompt_stands_around_the_caption(folder):
    model, tokenizer = load(folder("LLaMA"), "text_encoder")
    prompt = "An image with the caption '{caption}'. This is an image of a"
    found = language.extract_features(model, tokenizer, CAPTIONS, ROOM, prompt=prompt)
    whole = [prompt.replace("{caption}", caption) for caption in CAPTIONS]
    expected = language.extract_features(model, tokenizer, whole, ROOM)
    for name in found:
        assert torch.equal(found[name], expected[name])


def test_a_batch_that_does_not_fit_is_halved(folder, capsys):
    model, tokenizer = load(folder("BLOOM"), "text_encoder")
    expected = language.extract_features(model, tokenizer, CAPTIONS, ROOM)
    longest = max(language.token_lengths(model, tokenizer, CAPTIONS))
    forward, sizes = model.forward, []

    def short_of_memory(input_ids, **given):
        sizes.append(input_ids.numel())
        if input_ids.numel() > longest:
            raise torch.OutOfMemoryError("no more")
        return forward(input_ids, **given)

    short_of_memory.__signature__ = inspect.signature(forward)
    model.forward = short_of_memory
    try:
        found = language.extract_features(model, tokenizer, CAPTIONS, 1000)
    finally:
        model.forward = forward
    assert sizes[0] > 2 * longest
    assert sizes[1] <= sizes[0] // 2
    assert "out of memory: batches of " in capsys.readouterr().err
    for name in found:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)


def test_batches_by_tokens():
    lengths, seen = [1, 1, 2, 3, 3, 9, 2], []
    batching.in_batches(list(range(7)), 6, seen.append, lengths=lengths)
    assert seen == [[0, 1, 2], [3, 4], [5], [6]]  # as many as fit, padded to the longest; too long is alone


def test_one_item_that_does_not_fit_is_said_to():
    def run(_part):
        raise torch.OutOfMemoryError("no more")

    with pytest.raises(InputError, match="a single item does not fit"):
        batching.in_batches([1, 2, 3], 2, run)


def test_spread_over_devices(folder):
    """More than one GPU: accelerate places the layers; without a GPU, all of them on the processor."""
    model, tokenizer = load(folder("LLaMA"), "text_encoder", gpus=2)
    plain, _ = load(folder("LLaMA"), "text_encoder")
    spread = language.extract_features(model, tokenizer, CAPTIONS, ROOM, model.device)
    for one, other in zip(
        spread.values(), language.extract_features(plain, tokenizer, CAPTIONS, ROOM).values(), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", ["BLOOM", "LLaMA", "Gemma", "Qwen3", "Gemma 3 with images"])
def test_bits_per_byte_of_captions_is_the_chain_rule(folder, name):
    model, tokenizer = load(folder(name), "causal_lm")
    found = caption_bits_per_byte(model, tokenizer, CAPTIONS, ROOM)
    each = []
    for caption in CAPTIONS:
        ids = tokenizer(caption, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            chances = model(input_ids=ids).logits[0].log_softmax(dim=-1)
        each.append(-sum(chances[t, ids[0, t + 1]].item() for t in range(ids.shape[1] - 1)) / math.log(2))
    sizes = [len(caption.encode()) for caption in CAPTIONS]
    mean = sum(bits / size for bits, size in zip(each, sizes, strict=True)) / len(sizes)
    assert found.bits_per_byte == pytest.approx(mean, rel=1e-4)
    assert found.pooled_bits_per_byte == pytest.approx(sum(each) / sum(sizes), rel=1e-4)
    assert found.longest_tokens == max(len(tokenizer(caption)["input_ids"]) for caption in CAPTIONS)


class Thief:
    """What a pickle may do."""

    def __reduce__(self):
        return os.system, ("true",)


def test_pickled_code_is_not_run(tmp_path):
    torch.save({"weight": Thief()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin: not plain weights"):
        hub_models.make_safetensors(tmp_path)


def test_a_shard_that_is_missing_is_named(folder, tmp_path):
    shutil.copytree(folder("LLaMA"), tmp_path / "model")
    sorted((tmp_path / "model").glob("*.safetensors"))[-1].unlink()
    with pytest.raises(InputError, match=r"model-0000\d-of-0000\d\.safetensors is missing or damaged"):
        hub_models.check_weights(tmp_path / "model")


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_without_pooler(folder, name):
    """What they were saved for, and whether they have a pooler, is no reason; the first token is one of the poolings."""
    model, tokenizer = load(folder(name), "masked_lm")
    found = language.extract_features(model, tokenizer, CAPTIONS, ROOM, pooling="first")
    assert len(found) == standins.LAYERS + 1
    for i, caption in enumerate(CAPTIONS):
        with torch.inference_mode():
            alone = model(**tokenizer(caption, return_tensors="pt"), output_hidden_states=True).hidden_states
        for layer, state in zip(found.values(), alone, strict=True):
            torch.testing.assert_close(layer[i], state[0, 0], rtol=1e-4, atol=1e-5)


def test_two_towers_in_one_space(tmp_path):
    """In batches as one by one; captions are cut where the text tower ends, which the feature file says."""
    standins.dual_encoder(tmp_path, "openai/clip", positions=11)
    model, tokenizer, processor = dual_encoder.load(tmp_path / "models/openai/clip/main")
    standins.pairs(tmp_path, count=12)
    hub_pairs.make_from_parquet(sorted(tmp_path.rglob("*.parquet")), 0, 12, tmp_path / "data", commit="c")
    table = read_captions(tmp_path / "data")
    paths = paths_of(tmp_path / "data")
    found = dual_encoder.extract_features(model, tokenizer, processor, table.caption.tolist(), paths, 5)
    assert {name: tuple(values.shape) for name, values in found.items()} == dict.fromkeys(
        ("text", "image"), (12, standins.WIDTH)
    )
    for i, (caption, path) in enumerate(zip(table.caption, paths, strict=True)):
        given = processor(images=[Image.open(path).convert("RGB")], return_tensors="pt")
        ids = tokenizer([caption], truncation=True, max_length=11, return_tensors="pt")
        with torch.inference_mode():
            alone = model(**ids, **given)
        for name, values in (("text", alone.text_embeds), ("image", alone.image_embeds)):
            unit = torch.nn.functional.normalize(found[name][i], dim=0)
            torch.testing.assert_close(unit, values[0], rtol=1e-4, atol=1e-5)
    given = SimpleNamespace(name="clip"), tmp_path / "models/openai/clip/main", tmp_path / "data"
    machine = SimpleNamespace(device="cpu", weights={"dtype": "float32"})
    settings = {"batch_images": 5, "long_captions": "truncate"}
    _, facts = dual_encoder.features(*given, settings, machine)
    with pytest.raises(InputError, match="of 12 captions have more than the 11 tokens that the model takes"):
        dual_encoder.features(*given, settings | {"long_captions": "error"}, machine)
    long = [len(tokenizer(caption)["input_ids"]) > 11 for caption in table.caption]
    assert 0 < facts["captions_cut"] == sum(long) < 12
    assert facts["logit_scale"] == pytest.approx(math.exp(2.6592), rel=1e-3)


def test_a_model_without_two_towers_is_no_dual_encoder(tmp_path):
    standins.dual_encoder(tmp_path, "openai/clip")
    folder = tmp_path / "models/openai/clip/main"
    BertModel(
        BertConfig(vocab_size=512, hidden_size=32, num_hidden_layers=2, num_attention_heads=4)
    ).save_pretrained(folder)
    with pytest.raises(
        InputError, match="a BertModel has no two towers in one space; its type is not dual_encoder"
    ):
        dual_encoder.load(folder)


def test_summaries_are_greedy_and_of_one_line(folder):
    """Token by token, each time over the whole text, the likeliest one, up to the end or the most tokens that it may have."""
    model, tokenizer = load(folder("Llama 3"), "causal_lm")
    text, tokens = summaries.summarise(model, tokenizer, CAPTIONS[0], 3)
    ids = summaries.prompt_of(tokenizer, CAPTIONS[0], 3)
    begin = ids.shape[1]
    with torch.inference_mode():
        for _ in range(summaries.TOKENS * 3 + 8):
            ids = torch.cat([ids, model(ids).logits[0, -1].argmax().reshape(1, 1)], dim=1)
            if int(ids[0, -1]) == model.generation_config.eos_token_id:
                break
    assert tokens == ids[0, begin:].tolist()
    assert text == " ".join(tokenizer.decode(ids[0, begin:], skip_special_tokens=True).split())
    assert "about 3 words" in tokenizer.decode(ids[0, :begin])


def test_what_cannot_be_summarised_is_said(folder):
    model, tokenizer = load(folder("Llama 3"), "causal_lm")
    with pytest.raises(InputError, match="the summariser takes"):
        summaries.summarise(model, tokenizer, "word " * 3000, 5)
    tokenizer.chat_template = None
    with pytest.raises(InputError, match="has no chat template; name an instruct model"):
        summaries.summarise(model, tokenizer, "word", 5)
