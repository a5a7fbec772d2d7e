"""Samples of what models gave, made again: one item at a time, without batches or padding. See `prh.audit.samples`."""

import json
import math
import os
from importlib import import_module
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from PIL import Image

from prh.features.adapters import ADAPTERS, module_of
from prh.features.files import read_any_features
from prh.features.layers import read_features
from prh.features.loading import load, positions_of
from prh.features.precomputed import FILE
from prh.features.summaries import prompt_of, text_of
from prh.features.tensors import read_tensors
from prh.provenance import file_digest, read_manifest
from prh.sources.caption_levels import distinct_captions, read_levels
from prh.sources.datasets import ALL, read_captions
from prh.tables import LIKELIHOODS_FORMAT

ITEMS = 2  # items whose features, rows whose neighbours, captions whose bits are made again
# Relative tolerances in float32, through a whole network and in batches of another size; a shorter type adds its rounding.
FEATURE_TOLERANCE = 2e-3  # of a row's norm
DISTANCE_TOLERANCE = 1e-2  # of a distance, a small difference of large numbers
BITS_TOLERANCE = 1e-3  # of one window or caption
ROUNDINGS = 8  # so many roundings of the type add up


class NotHere(Exception):
    """What is needed for making the artifact again is not there, or not known to the audit: no verdict."""


def features(run, artifact, rng):
    """All layers of some items."""
    params, inputs = run.params(artifact), _inputs(run, artifact, "model", "dataset")
    row = SimpleNamespace(**params["row"])
    layers, names, _ = read_features(run.path(artifact))
    chosen, table = _some_pairs(inputs["dataset"], rng)
    _check_room(inputs["model"])
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
    _check_room(inputs["model"])
    found = _of_captions(params, None, inputs, pd.DataFrame({"caption": [captions[i] for i in chosen]}))
    return _compared(layers, names, chosen, found, params["weights"].get("dtype"))


def summaries(run, artifact, rng):
    """Some summaries: at each place the token that was taken is the likeliest, and together they are the text."""
    inputs, params = _inputs(run, artifact, "model", "dataset"), run.params(artifact)
    _check_room(inputs["model"])
    model, tokenizer = _language_model(params, inputs["model"], "causal_lm")
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
    _check_room(inputs["model"])
    chosen = sorted(rng.choice(len(found["words"]), size=ITEMS + 1, replace=False).tolist())
    embedding = []
    for word in (found["words"][i] for i in chosen):
        texts = [template.replace("{word}", word) for template in params["templates"]]
        layers = _of_captions(params, None, inputs, pd.DataFrame({"caption": texts}))[-params["layers"] :]
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
    """What was found of the chosen items, made again, beside the layers as they were kept: (reasons, remark)."""
    allowed, reasons, worst = _tolerance(FEATURE_TOLERANCE, dtype), [], 0.0
    for layer, name, again in zip(layers, names, found, strict=True):
        kept = layer[chosen].double().numpy()
        difference = np.linalg.norm(kept - again, axis=1) / np.linalg.norm(again, axis=1)
        worst = max(worst, difference.max())
        if not difference.max() <= allowed:
            item = chosen[int(difference.argmax())]
            reasons.append(
                f"layer {name}, item {item}: made again it differs by {difference.max():.1e} of its norm"
            )
    what = f"items {', '.join(map(str, chosen))} made again, all layers: differ by {worst:.0e} at most"
    return reasons[:3], what


def _of_captions(params, row, inputs, table):
    """Hidden states of one caption at a time, without padding, or their mean over the captions of an item: per layer (items, d)."""
    settings = params["settings"]
    model, tokenizer = _language_model(params, inputs["model"], "text_encoder")
    place, cut = {"first": 0, "last": -1}.get(settings.get("pooling")), {}
    if settings.get("long_captions") == "truncate" and positions_of(model):
        cut = {"truncation": True, "max_length": positions_of(model)}

    def layers_of(caption):
        text = (settings.get("prompt") or "{caption}").replace("{caption}", caption)
        with torch.inference_mode():
            states = model(
                **tokenizer(text, return_tensors="pt", **cut), output_hidden_states=True
            ).hidden_states
        values = [state[0].double().numpy() for state in states]
        return [value.mean(axis=0) if place is None else value[place] for value in values]

    rows = []
    for captions in table[ALL] if ALL in table else table[["caption"]].to_numpy():
        found = zip(*map(layers_of, captions), strict=True)
        rows.append([np.mean(layer, axis=0) for layer in found])
    return [np.stack(layer) for layer in zip(*rows, strict=True)]


def _of_pixels(params, row, inputs, table):
    """Layers of one image at a time, which the adapter's model gives of pixels: per layer (images, d)."""
    layers_of, rows = import_module(module_of(row)).load(row, inputs["model"]), []
    for path in (inputs["dataset"] / image for image in table.image):
        pixels = _pixels(path, row.image_size, row.image_size, row.interpolation, row.mean, row.std)
        with torch.inference_mode():
            found = layers_of(torch.from_numpy(pixels)[None])
        rows.append([values[0].double().numpy() for values in found.values()])
    return [np.stack(layer) for layer in zip(*rows, strict=True)]


def _of_blocks(params, row, inputs, table):
    """One image at a time, by hooks on timm's blocks their outputs pooled, on a CNN's stages their averages: per layer (images, d)."""
    try:
        import timm  # has an environment of its own: the audit does without where it must
    except ImportError:
        raise NotHere("not made again: timm is not installed here") from None

    dtype = getattr(torch, params["weights"].get("dtype", "float32"))
    model = timm.create_model(f"local-dir:{inputs['model']}", pretrained=True).eval().to(dtype)
    facts, kept, rows = model.pretrained_cfg, [], []
    if facts.get("crop_mode", "center") != "center":
        raise NotHere(f"not made again: images cropped by `{facts['crop_mode']}`")
    size = facts["input_size"][-1]
    resized = math.floor(size / facts["crop_pct"])
    cnn = row.type == "timm_cnn"
    space = (1, 2) if getattr(model, "output_fmt", "NCHW") == "NHWC" else (2, 3)
    how = params["settings"].get("pooling") or (
        "cls" if getattr(model, "cls_token", None) is not None else "mean"
    )

    def pooled(output):
        if cnn:
            return output.mean(dim=space)[0]
        if how == "map":
            return model.attn_pool(model.norm(output))[0]
        return output[0, 0] if how == "cls" else output[0, model.num_prefix_tokens :].mean(dim=0)

    stages = [facts["module"] for facts in model.feature_info] if cnn else []
    for part in map(model.get_submodule, stages) if cnn else model.blocks:
        part.register_forward_hook(lambda _part, _given, output: kept.append(pooled(output).double().numpy()))
    for path in (inputs["dataset"] / image for image in table.image):
        kept.clear()
        pixels = _pixels(
            path, resized, size, facts["interpolation"], facts["mean"], facts["std"], as_timm=True
        )
        with torch.inference_mode():
            model.forward_features(torch.from_numpy(pixels)[None].to(dtype))
        rows.append([*kept])
    return [np.stack(layer) for layer in zip(*rows, strict=True)]


def _of_states(params, row, inputs, table):
    """One image at a time, made ready by what preprocessor_config.json says, hidden states pooled token by token: per layer (images, d)."""
    from transformers import AutoModel

    _check_room(inputs["model"])
    dtype = getattr(torch, params["weights"].get("dtype", "float32"))
    model = AutoModel.from_pretrained(inputs["model"], dtype=dtype, local_files_only=True).eval()
    model, rows = getattr(model, "vision_model", model), []
    shapes = {name.rpartition(".")[2]: value.shape for name, value in model.named_parameters()}
    has_class = "cls_token" in shapes or "class_embedding" in shapes
    first = has_class + ("distillation_token" in shapes) + shapes.get("register_tokens", (0, 0))[-2]
    how = params["settings"].get("pooling") or ("cls" if has_class else "mean")
    if hasattr(model.config, "mask_ratio"):
        model.config.mask_ratio = 0.0
    for path in (inputs["dataset"] / image for image in table.image):
        pixels = torch.from_numpy(_processed(path, inputs["model"] / "preprocessor_config.json", row))
        with torch.inference_mode():
            states = model(pixel_values=pixels[None].to(dtype), output_hidden_states=True).hidden_states
            if how == "map":
                states = [model.head(model.post_layernorm(state))[:, None] for state in states]
        found = []
        for values in (state[0].double().numpy() for state in states[1 if how == "cls" else 0 :]):
            if values.ndim == 3:
                found.append(values.reshape(len(values), -1).mean(axis=1))
            else:
                found.append(values[0] if how in ("cls", "map") else values[first:].mean(axis=0))
        rows.append(found)
    return [np.stack(layer) for layer in zip(*rows, strict=True)]


def _processed(path, config, row):
    """An image as a model's preprocessor_config.json asks for it, (3, height, width) float32; without one, as its row does."""
    if not config.is_file():
        return _pixels(path, row.image_size, row.image_size, row.interpolation, row.mean, row.std)
    said = json.loads(config.read_text(encoding="utf-8"))
    size, crop, part = said.get("size") or {}, said.get("crop_size"), said.get("crop_pct")
    with Image.open(path) as image:
        image = image.convert("RGB")
    if said.get("do_resize", True):
        if "shortest_edge" in size and not (part and size["shortest_edge"] >= 384):
            side = int(size["shortest_edge"] / (part or 1))
            short, long = sorted(image.size)
            long = int(side * long / short)
            to = (side, long) if image.width <= image.height else (long, side)
            crop = {"height": size["shortest_edge"], "width": size["shortest_edge"]} if part else crop
        elif "shortest_edge" in size:  # ConvNeXt's: not cut
            to = (size["shortest_edge"],) * 2
        elif "height" in size:
            to = (size["width"], size["height"])
        else:
            raise NotHere("not made again: the image processor's size is of another form")
        image = image.resize(to, said["resample"])
    if part or said.get("do_center_crop"):
        crop = crop or {"height": image.height, "width": image.width}
        left, top = (image.width - crop["width"]) // 2, (image.height - crop["height"]) // 2
        image = image.crop((left, top, left + crop["width"], top + crop["height"]))
    values = np.asarray(image, dtype=float)
    values = values * said.get("rescale_factor", 1 / 255) if said.get("do_rescale", True) else values
    if said.get("do_normalize", True):
        values = (values - said["image_mean"]) / said["image_std"]
    return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)


def _of_towers(params, row, inputs, table):
    """One caption, and one image by its own preprocessing, at a time through both towers: texts, images (items, d)."""
    model, tokenizer, _ = import_module(module_of(row)).load(inputs["model"], **params["weights"])
    texts, images = [], []
    for pair in table.itertuples():
        tokens = tokenizer(
            pair.caption, truncation=True, max_length=model.config.text_config.max_position_embeddings
        )
        length = model.config.text_config.max_position_embeddings
        ids = tokens["input_ids"] + [tokenizer.pad_token_id] * (length - len(tokens["input_ids"]))
        mask = tokens["attention_mask"] + [0] * (length - len(tokens["attention_mask"]))
        pixels = _processed(inputs["dataset"] / pair.image, inputs["model"] / "preprocessor_config.json", row)
        with torch.inference_mode():
            text = model.get_text_features(torch.tensor([ids]), attention_mask=torch.tensor([mask]))
            image = model.get_image_features(torch.from_numpy(pixels)[None].to(model.dtype))
        texts.append(text.pooler_output[0].double().numpy())
        images.append(image.pooler_output[0].double().numpy())
    return [np.stack(texts), np.stack(images)]


def _of_rows(params, row, inputs, table):
    """Rows of the file of features that was given, where that is still there, else of what was kept of it: per layer (items, d)."""
    given, kept = Path(row.path).expanduser(), inputs["model"] / FILE
    same = given.is_file() and file_digest(given) == read_manifest(inputs["model"])["file_sha256"]
    layers = read_any_features(given if same else kept)
    return [layer[table.index.to_list()].double().numpy() for layer in layers]


# By the word that an adapter has for it.
WAYS = {
    "captions": _of_captions,
    "pixels": _of_pixels,
    "blocks": _of_blocks,
    "states": _of_states,
    "towers": _of_towers,
    "rows": _of_rows,
}


def _pixels(path, resized, size, interpolation, mean, std, as_timm=False):
    """An image resized by its short side, its middle cut out, scaled to 0 ... 1 and normalised: (3, size, size).

    as_timm: the long side is rounded down, and the place of the cut to the nearest pixel; else the other way round.
    """
    with Image.open(path) as image:
        image = image.convert("RGB")
    short = min(image.size)
    if resized != short:
        exact = [
            side * resized // short if as_timm else round(side * (resized / short)) for side in image.size
        ]
        sides = [max(resized, side) for side in exact]
        image = image.resize(sides, getattr(Image.Resampling, interpolation.upper()))
    left, top = (round((side - size) / 2) if as_timm else (side - size) // 2 for side in image.size)
    square = image.crop((left, top, left + size, top + size))
    values = (np.asarray(square, dtype=float) / 255 - mean) / std
    return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)


def performance(run, artifact, rng):
    """The nats of one window."""
    found = json.loads(run.path(artifact).read_text(encoding="utf-8"))
    inputs = _inputs(run, artifact, "model", "corpus")
    model, tokenizer = _language_model(run.params(artifact), inputs["model"], "causal_lm")
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
    """Some places, each after what stands before it in its window."""
    inputs, params = _inputs(run, artifact, "model", "corpus"), run.params(artifact)
    tensors, _ = read_tensors(run.path(artifact), LIKELIHOODS_FORMAT)
    _check_room(inputs["model"])
    model, tokenizer = _language_model(params, inputs["model"], "causal_lm")
    text = inputs["corpus"].read_text(encoding="utf-8")
    tokens = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    allowed, reasons = _tolerance(FEATURE_TOLERANCE, params["weights"].get("dtype")), []
    chosen = sorted(rng.choice(params["inputs"], size=ITEMS, replace=False).tolist())
    for place in chosen:
        begin = place - place % (params["window"] - 1)
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
    chosen, table = _some_pairs(inputs["dataset"], rng)
    model, tokenizer = _language_model(run.params(artifact), inputs["model"], "causal_lm")
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
    found = {run.kind(source): run.path(source) for source in run.inputs(artifact)}
    if "rows" in run.params(artifact):  # of a job that took several models
        found["model"] = run.path(f"results/models/{run.params(artifact)['row']['name']}")
    for kind in kinds:
        if kind not in found:
            raise NotHere(f"not made again: its record names no {kind}")
    return found


def _language_model(params, folder, type):
    """Model and tokenizer, in the type of weights that the artifact was made with."""
    weights = params.get("weights") or {}
    if weights.get("quantisation"):
        raise NotHere("not made again: quantised weights need a GPU")
    _check_room(folder)
    return load(folder, type, dtype=weights.get("dtype", "float32"))


def _check_room(folder):
    """Raise `NotHere` where a model might not fit into this machine's memory, which is held twice while it is loaded."""
    needed = 2 * sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    held = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > held:
        raise NotHere(
            f"not made again: needs {needed / 1e9:.0f} GB of memory, this machine has {held / 1e9:.0f}"
        )


def _some_pairs(dataset, rng):
    """Numbers of some pairs of a data set, sorted, and their rows."""
    table = pd.read_parquet(dataset / "captions.parquet")
    chosen = sorted(rng.choice(len(table), size=min(ITEMS, len(table)), replace=False).tolist())
    return chosen, table.iloc[chosen]


def _tolerance(usual, dtype):
    """Relative tolerance of what was computed in a type; the usual one holds for float32."""
    return max(usual, ROUNDINGS * torch.finfo(getattr(torch, dtype or "float32")).eps)
