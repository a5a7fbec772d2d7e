"""A seeded sample of every costly kind of artifact made again, by the plain implementation of `prh.plain`.

Features of some items, one at a time; neighbours of some rows; some layer pairs' scores, in both directions where the
metric is symmetric; one window of a bits-per-byte; the whole permutation null of one model pair. Each function returns
(reasons, remark): what is wrong, and what was compared.
"""

import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from PIL import Image

from prh.catalogue import METRICS
from prh.checks import kind_of
from prh.features import read_features
from prh.neighbors import read_index
from prh.plain import null_of_mutual_knn, score, tail

ITEMS = 2  # items whose features, and rows whose neighbours, are made again
FEATURE_TOLERANCE = 2e-3  # of the row's norm; float32 through a whole network, in batches of another size
RANK_TOLERANCE = 1e-5  # in cosine: two neighbours so near to each other may change places
TOLERANCE = {"neighbors": 1e-9, "kernel": 2e-5, "cknna": 2e-4, "subspace": 2e-4}  # by the metric's family
BITS_TOLERANCE = 1e-3  # relative, of one window


class NotHere(Exception):
    """What is needed for making the artifact again is not there, or not known to the audit: no verdict."""


def rederive(run, artifact, rng):
    """Make a sample of an artifact again: (reasons, remark). Raises `NotHere` if that cannot be done."""
    how = SAMPLES.get(kind_of(artifact))
    if how is None:
        raise NotHere("no sample of this kind is made again")
    missing = [source for source in run.inputs(artifact) if not run.is_intact(source)]
    if missing:
        raise NotHere(f"not made again: {missing[0]} is not there as it was made")
    return how(run, artifact, rng)


def _features(run, artifact, rng):
    params, inputs = run.params(artifact), {kind_of(s): run.path(s) for s in run.inputs(artifact)}
    row = SimpleNamespace(**params["row"])
    layers, names, _ = read_features(run.path(artifact))
    table = pd.read_parquet(inputs["dataset"] / "captions.parquet")
    chosen = sorted(rng.choice(len(table), size=min(ITEMS, len(table)), replace=False).tolist())
    if row.modality == "language":
        found = _language_features(params, row, inputs["model"], table.caption.iloc[chosen].tolist())
    else:
        images = [inputs["dataset"] / image for image in table.image.iloc[chosen]]
        found = _vision_features(row, inputs["model"], images)
    reasons, worst = [], 0.0
    for layer, name, again in zip(layers, names, found, strict=True):
        kept = layer[chosen].double().numpy()
        difference = np.linalg.norm(kept - again, axis=1) / np.linalg.norm(again, axis=1)
        worst = max(worst, difference.max())
        if not difference.max() <= FEATURE_TOLERANCE:
            item = chosen[int(difference.argmax())]
            reasons.append(
                f"layer {name}, item {item}: made again it differs by {difference.max():.1e} of its norm"
            )
    return reasons[
        :3
    ], f"items {', '.join(map(str, chosen))} made again, all layers: differ by {worst:.0e} at most"


def _language_features(params, row, folder, captions):
    """One caption at a time, without padding: per layer (captions, d)."""
    from prh.language import load as load_language

    options, weights = params.get("options") or {}, params.get("weights") or {}
    usual = {"mode": "robust", "pooling": "mean", "prompt": None}
    if any(options.get(key, value) != value for key, value in usual.items()):
        raise NotHere("not made again: features under other options than the usual ones")
    if weights.get("dtype", "float32") != "float32" or weights.get("quantisation"):
        raise NotHere("not made again: weights are not float32")
    model, tokenizer = load_language(folder, "text_encoder")
    rows = []
    for caption in captions:
        with torch.inference_mode():
            states = model(**tokenizer(caption, return_tensors="pt"), output_hidden_states=True).hidden_states
        rows.append([state[0].double().numpy().mean(axis=0) for state in states])
    return [np.stack(layer) for layer in zip(*rows, strict=True)]


def _vision_features(row, folder, images):
    """One image at a time: per layer (images, d)."""
    from prh.vision import CODE
    from prh.vision import load as load_vision

    if row.type not in {*CODE, "onnx_vit"}:
        raise NotHere(f"not made again: models of type {row.type}")
    layers_of, rows = load_vision(row, folder), []
    for path in images:
        with torch.inference_mode():
            found = layers_of(torch.from_numpy(_pixels(path, row))[None])
        rows.append([values[0].double().numpy() for values in found.values()])
    return [np.stack(layer) for layer in zip(*rows, strict=True)]


def _pixels(path, row):
    """An image resized by its short side, its middle cut out, scaled to 0 ... 1 and normalised: (3, size, size)."""
    with Image.open(path) as image:
        image = image.convert("RGB")
    factor = row.image_size / min(image.size)
    if factor != 1:
        sides = [max(row.image_size, round(side * factor)) for side in image.size]
        image = image.resize(sides, getattr(Image.Resampling, row.interpolation.upper()))
    left, top = ((side - row.image_size) // 2 for side in image.size)
    square = image.crop((left, top, left + row.image_size, top + row.image_size))
    values = (np.asarray(square, dtype=float) / 255 - row.mean) / row.std
    return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)


def _neighbors(run, artifact, rng):
    params = run.params(artifact)
    (source,) = run.inputs(artifact)
    layers = run.prepared(source, params["clamp"], params["concatenate"])
    ids = read_index(run.path(artifact))[0].numpy()
    layers_n, n, k = ids.shape
    chosen = sorted(rng.choice(n, size=min(ITEMS, n), replace=False).tolist())
    reasons = []
    for number in range(layers_n):
        layer = layers[number]
        for item in chosen:
            cosines = layer @ layer[item]
            cosines[item] = -np.inf
            listed = cosines[ids[number, item]]
            others = np.delete(cosines, ids[number, item])
            if (np.diff(listed) > RANK_TOLERANCE).any() or others.max() > listed[-1] + RANK_TOLERANCE:
                reasons.append(
                    f"layer {number}, item {item}: these are not its {k} nearest neighbours, in order"
                )
    rows = ", ".join(map(str, chosen))
    return reasons[:3], f"neighbours of items {rows} found again in {layers_n} layers"


def _alignment(run, artifact, rng):
    table, params = pd.read_parquet(run.path(artifact)), run.params(artifact)
    name, spec = params["metric"], METRICS[params["metric"]]
    reasons, worst = [], 0.0
    for row in table.iloc[rng.choice(len(table), size=min(ITEMS, len(table)), replace=False)].itertuples():
        k = None if pd.isna(row.k) else int(row.k)
        (x, ids_x), (y, ids_y) = (
            _layer(run, artifact, model, layer)
            for model, layer in ((row.model_x, row.layer_x), (row.model_y, row.layer_y))
        )
        widths = None
        if name == "svcca":
            widths = [min(_layers(run, artifact, model).widths) for model in (row.model_x, row.model_y)]
        again = [score(name, k, x, y, ids_x, ids_y, widths)]
        if spec.symmetric:
            again.append(score(name, k, y, x, ids_y, ids_x, widths and widths[::-1]))
        off = max(abs(value - row.score) for value in again)
        worst = max(worst, off)
        if not off <= TOLERANCE[spec.family]:
            where = f"{row.model_x} layer {row.layer_x}, {row.model_y} layer {row.layer_y}"
            reasons.append(f"{name} of {where} is {row.score}, made again {again[0]:.6f}")
    return reasons, f"{min(ITEMS, len(table))} scores made again: differ by {worst:.0e} at most"


def _source(run, artifact, model):
    """The input of a tile that holds a model."""
    params = run.params(artifact)
    folder = "neighbors" if METRICS[params["metric"]].family == "neighbors" else "features"
    return next(s for s in run.inputs(artifact) if s.endswith(f"/{model}.safetensors") and f"/{folder}/" in s)


def _layer(run, artifact, model, layer):
    """A layer of a model as a tile's metric takes it: prepared features (n, d) or None, neighbour ids (n, k) or None."""
    source, params = _source(run, artifact, model), run.params(artifact)
    if kind_of(source) == "neighbors":
        return None, read_index(run.path(source))[0][layer].numpy()
    x = _layers(run, artifact, model)[layer]
    table = run.path(source.replace("/features/", "/neighbors/"))
    if (
        METRICS[params["metric"]].needs_k and table.is_file()
    ):  # so that equal neighbours come in the same order
        return x, read_index(run.path(table))[0][layer].numpy()
    return x, None


def _layers(run, artifact, model):
    params = run.params(artifact)
    return run.prepared(_source(run, artifact, model), params["clamp"], params["concatenate"])


def _calibration(run, artifact, rng):
    params = run.params(artifact)
    if params["metric"] != "mutual_knn":
        raise NotHere("nulls are made again for mutual k-NN only")
    table = pd.read_parquet(run.path(artifact))
    tables = {
        model: read_index(run.path(_source(run, artifact, model)))[0].numpy()
        for pair in params["pairs"]
        for model in pair
    }
    size = min(len(tables[row.model_x]) * len(tables[row.model_y]) for row in table.itertuples())
    small = [r for r in table.itertuples() if len(tables[r.model_x]) * len(tables[r.model_y]) == size]
    row = small[int(rng.integers(len(small)))]
    x, y, k = tables[row.model_x], tables[row.model_y], int(row.k)
    generator = torch.Generator().manual_seed(params["seed"])
    orders = [torch.randperm(x.shape[1], generator=generator).numpy() for _ in range(params["permutations"])]
    best = null_of_mutual_knn(x, y, k, [np.arange(x.shape[1])])[0]
    null = null_of_mutual_knn(x, y, k, orders)
    reasons = []
    for column, value in zip(("null_mean", "tau", "p_value"), tail(best, null, params["alpha"]), strict=True):
        if not math.isclose(getattr(row, column), value, abs_tol=1e-9):
            reasons.append(
                f"{column} of {row.model_x}, {row.model_y} is {getattr(row, column)}, made again {value}"
            )
    what = f"the null of {row.model_x}, {row.model_y}, k = {k}, made again with {len(orders)} permutations"
    return reasons, what


def _performance(run, artifact, rng):
    from prh.language import load as load_language

    found = json.loads(run.path(artifact).read_text(encoding="utf-8"))
    inputs = {kind_of(source): run.path(source) for source in run.inputs(artifact)}
    if "window_nats" not in found or not {"model", "corpus"} <= inputs.keys():
        raise NotHere("not made again: it does not say what each window gave")
    model, tokenizer = load_language(inputs["model"], "causal_lm")
    tokens = tokenizer(inputs["corpus"].read_text(encoding="utf-8"), add_special_tokens=False, verbose=False)[
        "input_ids"
    ]
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    number = int(rng.integers(found["windows"]))
    begin = number * found["stride"]
    end = min(begin + found["window"] - 1, len(tokens))
    scored = end - (begin - found["stride"] + found["window"] - 1 if number else 0)
    ids = [first, *tokens[begin:end]]
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0].double().numpy()
    top = logits.max(axis=1)
    chances = logits[np.arange(len(ids) - 1), ids[1:]] - top[:-1]
    nats = -(chances - np.log(np.exp(logits - top[:, None]).sum(axis=1))[:-1])
    again, kept = float(nats[-scored:].sum()), found["window_nats"][number]
    what = f"window {number} of {found['windows']} scored again: {again:.3f} nats"
    if len(tokens) != found["tokens"]:
        return [f"{found['tokens']} tokens, counted again {len(tokens)}"], what
    if not math.isclose(again, kept, rel_tol=BITS_TOLERANCE):
        return [f"window {number} gave {kept:.3f} nats, scored again {again:.3f}"], what
    return [], what


SAMPLES = {
    "features": _features,
    "neighbors": _neighbors,
    "alignment": _alignment,
    "calibration": _calibration,
    "performance": _performance,
}
