"""Features of one item at a time, without batches or padding, for the audit: by each of the ways that an adapter may name.

A way takes the job's params, the model's row, its inputs by kind and a table of items; it gives (items, d) float64 per layer.
"""

import json
import math
import os
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from prh.features.adapters import module_of
from prh.features.files import read_any_features
from prh.features.loading import load, positions_of
from prh.features.precomputed import FILE
from prh.provenance import file_digest, read_manifest
from prh.sources.datasets import ALL


class NotHere(Exception):
    """What is needed for making the artifact again is not there, or not known to the audit: no verdict."""


def language_model(params, folder, type):
    """Model and tokenizer, in the type of weights that the artifact was made with."""
    weights = params.get("weights") or {}
    if weights.get("quantisation"):
        raise NotHere("not made again: quantised weights need a GPU")
    check_room(folder)
    return load(folder, type, dtype=weights.get("dtype", "float32"))


def check_room(folder):
    """Raise `NotHere` where a model might not fit into this machine's memory, which is held twice while it is loaded."""
    needed = 2 * sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    held = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > held:
        raise NotHere(
            f"not made again: needs {needed / 1e9:.0f} GB of memory, this machine has {held / 1e9:.0f}"
        )


def of_captions(params, row, inputs, table):
    """Hidden states of one caption at a time, without padding, or their mean over the captions of an item: per layer (items, d)."""
    settings = params["settings"]
    model, tokenizer = language_model(params, inputs["model"], "text_encoder")
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


def of_pixels(params, row, inputs, table):
    """Layers of one image at a time, which the adapter's model gives of pixels: per layer (images, d)."""
    layers_of, rows = import_module(module_of(row)).load(row, inputs["model"]), []
    for path in (inputs["dataset"] / image for image in table.image):
        pixels = _pixels(path, row.image_size, row.image_size, row.interpolation, row.mean, row.std)
        with torch.inference_mode():
            found = layers_of(torch.from_numpy(pixels)[None])
        rows.append([values[0].double().numpy() for values in found.values()])
    return [np.stack(layer) for layer in zip(*rows, strict=True)]


def of_blocks(params, row, inputs, table):
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


def of_states(params, row, inputs, table):
    """One image at a time, made ready by what preprocessor_config.json says, hidden states pooled token by token: per layer (images, d)."""
    from transformers import AutoModel

    check_room(inputs["model"])
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


def of_towers(params, row, inputs, table):
    """One caption, and one image by its own preprocessing, at a time through both towers: texts, images (items, d)."""
    model, tokenizer, _ = import_module(module_of(row)).load(inputs["model"], **params["weights"])
    length = model.config.text_config.max_position_embeddings
    texts, images = [], []
    for pair in table.itertuples():
        tokens = tokenizer(pair.caption, truncation=True, max_length=length)
        ids = tokens["input_ids"] + [tokenizer.pad_token_id] * (length - len(tokens["input_ids"]))
        mask = tokens["attention_mask"] + [0] * (length - len(tokens["attention_mask"]))
        pixels = _processed(inputs["dataset"] / pair.image, inputs["model"] / "preprocessor_config.json", row)
        with torch.inference_mode():
            text = model.get_text_features(torch.tensor([ids]), attention_mask=torch.tensor([mask]))
            image = model.get_image_features(torch.from_numpy(pixels)[None].to(model.dtype))
        texts.append(text.pooler_output[0].double().numpy())
        images.append(image.pooler_output[0].double().numpy())
    return [np.stack(texts), np.stack(images)]


def of_rows(params, row, inputs, table):
    """Rows of the file of features that was given, where that is still there, else of what was kept of it: per layer (items, d)."""
    given, kept = Path(row.path).expanduser(), inputs["model"] / FILE
    same = given.is_file() and file_digest(given) == read_manifest(inputs["model"])["file_sha256"]
    layers = read_any_features(given if same else kept)
    return [layer[table.index.to_list()].double().numpy() for layer in layers]


# By the word that an adapter has for it.
WAYS = {
    "captions": of_captions,
    "pixels": of_pixels,
    "blocks": of_blocks,
    "states": of_states,
    "towers": of_towers,
    "rows": of_rows,
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
