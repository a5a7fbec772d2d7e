"""Samples of what models gave, made again: one item at a time, without batches or padding. See `prh.audit.samples`."""

import json
import math
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from prh.audit.ways import WAYS, NotHere, check_room, language_model, of_captions
from prh.features.adapters import ADAPTERS
from prh.features.layers import read_features, read_rows
from prh.features.summaries import prompt_of, text_of
from prh.features.tensors import read_tensors
from prh.sources.caption_levels import distinct_captions, read_levels
from prh.sources.datasets import read_captions
from prh.tables import LIKELIHOODS_FORMAT

ITEMS = 2  # items whose features, rows whose neighbours, captions whose bits are made again
# Relative tolerances in float32, through a whole network and in batches of another size; a shorter type adds its rounding.
FEATURE_TOLERANCE = 2e-3  # of a row's norm
DISTANCE_TOLERANCE = 1e-2  # of a distance, a small difference of large numbers
BITS_TOLERANCE = 1e-3  # of one window or caption
ROUNDINGS = 8  # so many roundings of the type add up


def features(run, artifact, rng):
    """All layers of some items; of the whole data set, or of a shard of it."""
    params = run.params(artifact)
    pairs = params.get("settings", {}).get("pairs")  # of mere features, of a data set that was not fetched
    inputs = _inputs(run, artifact, "model", *(() if pairs else ("dataset",)))
    row, part = SimpleNamespace(**params["row"]), params.get("part") or [0, None]
    table = pd.DataFrame(index=range(pairs)) if pairs else read_captions(inputs["dataset"])
    chosen, table = _some_pairs(table, rng, part)
    layers, names = read_rows(run.path(artifact), [item - part[0] for item in chosen])
    check_room(inputs["model"])
    if row.type not in ADAPTERS:
        raise NotHere(f"not made again: models of type {row.type}")
    found = WAYS[ADAPTERS[row.type].sample](params, row, inputs, table)
    found = found[-1:] if params.get("last_only") else found
    return _compared(layers, names, chosen, found, params.get("weights", {}).get("dtype"))


def level_features(run, artifact, rng):
    """All layers of some of the captions of all levels."""
    params, inputs = run.params(artifact), _inputs(run, artifact, "model", "caption levels")
    layers, names, _ = read_features(run.path(artifact))
    captions = distinct_captions(read_levels(inputs["caption levels"]))
    chosen = sorted(rng.choice(len(captions), size=min(ITEMS, len(captions)), replace=False).tolist())
    check_room(inputs["model"])
    found = of_captions(params, None, inputs, pd.DataFrame({"caption": [captions[i] for i in chosen]}))
    kept = [layer[chosen] for layer in layers]
    return _compared(kept, names, chosen, found, params["weights"].get("dtype"))


def summaries(run, artifact, rng):
    """Some summaries: at each place the token that was taken is the likeliest, and together they are the text."""
    inputs, params = _inputs(run, artifact, "model", "dataset"), run.params(artifact)
    check_room(inputs["model"])
    model, tokenizer = language_model(params, inputs["model"], "causal_lm")
    table, captions = pd.read_parquet(run.path(artifact)), read_captions(inputs["dataset"]).caption
    chosen, reasons = table.iloc[rng.choice(len(table), size=min(ITEMS, len(table)), replace=False)], []
    for row in chosen.to_dict("records"):
        asked = prompt_of(tokenizer, captions[row["item"]], row["asked"])
        taken = torch.tensor(row["tokens"])
        with torch.inference_mode():
            logits = model(torch.cat([asked, taken[None]], dim=1)).logits[0, asked.shape[1] - 1 : -1].double()
        short = logits.max(dim=1).values - logits.gather(1, taken[:, None])[:, 0]
        allowed = _tolerance(BITS_TOLERANCE, params["weights"].get("dtype")) * logits.abs().max()
        if not short.max() <= allowed:
            reasons.append(
                f"item {row['item']} in {row['asked']} words: token {int(short.argmax())} is not the likeliest"
            )
        if text_of(tokenizer, taken) != row["summary"]:
            reasons.append(
                f"item {row['item']} in {row['asked']} words: `{row['summary']}` is not what its tokens say"
            )
    return reasons[:3], f"{len(chosen)} summaries followed token by token"


def colour_words(run, artifact, rng):
    """The distances of some words from one another, each template by itself."""
    found, params = json.loads(run.path(artifact).read_text(encoding="utf-8")), run.params(artifact)
    inputs = _inputs(run, artifact, "model")
    check_room(inputs["model"])
    chosen = sorted(rng.choice(len(found["words"]), size=ITEMS + 1, replace=False).tolist())
    embedding = []
    for word in (found["words"][i] for i in chosen):
        texts = [template.replace("{word}", word) for template in params["templates"]]
        layers = of_captions(params, None, inputs, pd.DataFrame({"caption": texts}))[-params["layers"] :]
        joined = np.concatenate(layers, axis=1)
        lengths = np.linalg.norm(joined, axis=1, keepdims=True) if params["unit"] else 1
        embedding.append((joined / lengths).mean(axis=0))
    reasons = []
    for a, b in combinations(range(len(chosen)), 2):
        kept, again = found["distances"][chosen[a]][chosen[b]], np.linalg.norm(embedding[a] - embedding[b])
        if not math.isclose(
            kept, again, rel_tol=_tolerance(DISTANCE_TOLERANCE, params["weights"].get("dtype"))
        ):
            words = found["words"][chosen[a]], found["words"][chosen[b]]
            reasons.append(f"{words[0]} and {words[1]} are {kept:.4f} apart, made again {again:.4f}")
    return reasons, f"distances of {', '.join(found['words'][i] for i in chosen)} made again"


def _compared(layers, names, chosen, found, dtype):
    """What was found of the chosen items, made again, beside their rows of the layers as they were kept: (reasons, remark)."""
    allowed, reasons, worst = _tolerance(FEATURE_TOLERANCE, dtype), [], 0.0
    for layer, name, again in zip(layers, names, found, strict=True):
        kept = layer.double().numpy()
        difference = np.linalg.norm(kept - again, axis=1) / np.linalg.norm(again, axis=1)
        worst = max(worst, difference.max())
        if not difference.max() <= allowed:
            item = chosen[int(difference.argmax())]
            reasons.append(
                f"layer {name}, item {item}: made again it differs by {difference.max():.1e} of its norm"
            )
    what = f"items {', '.join(map(str, chosen))} made again, all layers: differ by {worst:.0e} at most"
    return reasons[:3], what


def performance(run, artifact, rng):
    """The nats of one window."""
    found = json.loads(run.path(artifact).read_text(encoding="utf-8"))
    inputs = _inputs(run, artifact, "model", "corpus")
    model, tokenizer = language_model(run.params(artifact), inputs["model"], "causal_lm")
    tokens = tokenizer(inputs["corpus"].read_text(encoding="utf-8"), add_special_tokens=False, verbose=False)[
        "input_ids"
    ]
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    number = int(rng.integers(found["windows"]))
    begin = number * found["stride"]
    end = min(begin + found["window"] - 1, len(tokens))
    scored = end - (begin - found["stride"] + found["window"] - 1 if number else 0)
    again = float(_nats(model, [first, *tokens[begin:end]])[-scored:].sum())
    kept = found["window_nats"][number]
    what = f"window {number} of {found['windows']} scored again: {again:.3f} nats"
    if len(tokens) != found["tokens"]:
        return [f"{found['tokens']} tokens, counted again {len(tokens)}"], what
    if not math.isclose(again, kept, rel_tol=_tolerance(BITS_TOLERANCE, found.get("dtype"))):
        return [f"window {number} gave {kept:.3f} nats, scored again {again:.3f}"], what
    return [], what


def likelihoods(run, artifact, rng):
    """Some places, each after what stands before it in the first window that it stands in."""
    inputs, params = _inputs(run, artifact, "model", "corpus"), run.params(artifact)
    tensors, _ = read_tensors(run.path(artifact), LIKELIHOODS_FORMAT)
    check_room(inputs["model"])
    model, tokenizer = language_model(params, inputs["model"], "causal_lm")
    text = inputs["corpus"].read_text(encoding="utf-8")
    tokens = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    allowed, reasons = _tolerance(FEATURE_TOLERANCE, params["weights"].get("dtype")), []
    chosen = sorted(rng.choice(params["inputs"], size=ITEMS, replace=False).tolist())
    for place in chosen:
        further = place - (params["window"] - 1)  # beyond the first window's places
        begin = (further // params["stride"] + 1) * params["stride"] if further >= 0 else 0
        with torch.inference_mode():
            logits = model(torch.tensor([[first, *tokens[begin:place]]])).logits[0, -1].double()
        again = logits.log_softmax(dim=0)[tensors["labels"]]
        off = float((again - tensors["log_likelihoods"][place]).abs().max() / again.abs().max())
        if not off <= allowed:
            reasons.append(f"place {place}: made again it differs by {off:.1e} of the largest")
    return reasons, f"likelihoods at places {', '.join(map(str, chosen))} made again"


def captions(run, artifact, rng):
    """The bits of some captions, and the tokens of the longest of all."""
    found = json.loads(run.path(artifact).read_text(encoding="utf-8"))
    inputs = _inputs(run, artifact, "model", "dataset")
    chosen, table = _some_pairs(read_captions(inputs["dataset"]), rng)
    model, tokenizer = language_model(run.params(artifact), inputs["model"], "causal_lm")
    reasons = []
    for item, caption in zip(chosen, table.caption, strict=True):
        kept = found["caption_bits"][item]
        again = float(_nats(model, tokenizer(caption)["input_ids"]).sum()) / math.log(2)
        if not math.isclose(again, kept, rel_tol=_tolerance(BITS_TOLERANCE, found.get("dtype"))):
            reasons.append(f"caption {item} has {kept:.3f} bits, scored again {again:.3f}")
    everything = pd.read_parquet(inputs["dataset"] / "captions.parquet").caption.tolist()
    longest = max(map(len, tokenizer(everything)["input_ids"]))
    if longest != found["longest_tokens"]:
        reasons.append(f"longest_tokens is {found['longest_tokens']}, counted again {longest}")
    return reasons, f"captions {', '.join(map(str, chosen))} scored again"


def _nats(model, ids):
    """Negative log-likelihood of each token of ids but the first, under a causal model: (len(ids) - 1,) float64."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0].double().numpy()
    top = logits.max(axis=1)
    chances = logits[np.arange(len(ids) - 1), ids[1:]] - top[:-1]
    return -(chances - np.log(np.exp(logits - top[:, None]).sum(axis=1))[:-1])


def _inputs(run, artifact, *kinds):
    """Where lies what it was made from, by kind."""
    found = {run.kind(source): run.path(source) for source in run.sources(artifact)}
    if "rows" in run.params(artifact):  # of a job that took several models
        found["model"] = run.path(f"results/models/{run.params(artifact)['row']['name']}")
    for kind in kinds:
        if kind not in found:
            raise NotHere(f"not made again: its record names no {kind}")
    return found


def _some_pairs(table, rng, part=(0, None)):
    """Numbers of some pairs of a data set, perhaps of a part of it, sorted, and their rows."""
    table = table.iloc[slice(*part)]
    chosen = sorted(rng.choice(len(table), size=min(ITEMS, len(table)), replace=False).tolist())
    return [part[0] + place for place in chosen], table.iloc[chosen]


def _tolerance(usual, dtype):
    """Relative tolerance of what was computed in a type; the usual one holds for float32."""
    return max(usual, ROUNDINGS * torch.finfo(getattr(torch, dtype or "float32")).eps)
