"""A seeded sample of every costly kind of artifact made again, by the plain implementation of `prh.audit.definitions`.

Features of some items, one at a time; neighbours of some rows; some layer pairs' scores, in both directions where the
metric is symmetric; one window of a bits-per-byte, and the bits of some captions; the whole permutation null of one model
pair. Each function returns (reasons, remark): what is wrong, and what was compared. What needs a model is in
`prh.audit.samples_of_models`.
"""

import json
import math

import numpy as np
import pandas as pd
import torch

from prh.alignment.catalogue import METRICS
from prh.alignment.large import read_candidates
from prh.alignment.largest import split
from prh.alignment.neighbors import read_index, slices
from prh.audit.definitions import Prepared, mid_ranks, null_of_mutual_knn, score, tail, tree_weights, unit
from prh.audit.samples_of_models import ITEMS
from prh.audit.ways import NotHere
from prh.features.layers import read_features
from prh.features.tensors import read_tensors
from prh.sources.caption_levels import OWN, distinct_captions, items_of, read_levels
from prh.tables import DISTANCE, LIKELIHOODS_FORMAT, MEAN, read_table

RANK_TOLERANCE = 1e-5  # of a layer's spread: neighbours whose cosines differ by no more may change places
ROUNDINGS = 10  # times what rounding the features to float32, as the metrics take them, changes in a score, it may be off
MADE_AGAIN = 16_384  # items up to which n x n matrices are made for it
TIES = 2e-3  # of a share of neighbours, or a window of ranks: what is equal but for rounding may come in another order
TOLERANCE = {
    "neighbors": 1e-9,
    "kernel": 2e-5,
    "tree": 2e-5,
    "cknna": 2e-4,
    "subspace": 2e-4,
}  # by the metric's family


def differs(what, kept, again, **tolerance):
    """One reason if a number that was kept is not what it is made again, within the tolerances of `math.isclose`; else none."""
    return [] if math.isclose(again, kept, **tolerance) else [f"{what} is {kept}, made again {again}"]


def neighbors(run, artifact, rng):
    """The neighbours of some items, in every layer."""
    ids = read_index(run.path(artifact))[0].numpy()
    chosen = sorted(rng.choice(ids.shape[1], size=min(ITEMS, ids.shape[1]), replace=False).tolist())
    return _neighbors(run, artifact, {item: ids[:, item] for item in chosen})


def neighbor_candidates(run, artifact, rng):
    """The candidates of some items of the part itself and of one that it was compared with, in every layer."""
    found, metadata = read_candidates(run.path(artifact))
    own, parts = metadata["part"], slices(0, metadata["n"], metadata["size"])
    part_of, chosen, compared = np.arange(metadata["n"]) // metadata["size"], {}, {}
    for other in sorted({own, max(found)}):
        size = found[other].shape[1]
        for place in sorted(rng.choice(size, size=min(ITEMS, size), replace=False).tolist()):
            item = parts[other].start + place
            chosen[item] = split(found[other][:, place])[1].numpy()
            compared[item] = np.isin(part_of, [*found] if other == own else [own])
    return _neighbors(run, artifact, chosen, compared)


def _neighbors(run, artifact, chosen, compared=None):
    """Whether each of some items has, among all or those it was compared with, the nearest: its neighbours by item, (layers, k)."""
    params = run.params(artifact)
    (source,) = (source for source in run.inputs(artifact) if run.kind(source) == "features")
    layers = run.prepared(source, params["clamp"], params["concatenate"])
    layers_n, k = next(iter(chosen.values())).shape
    reasons = []
    for number in range(layers_n):
        layer = layers[number]
        allowed = RANK_TOLERANCE * np.linalg.norm(layer - layer.mean(axis=0), axis=1).mean()
        for item, ids in chosen.items():
            cosines, held = np.full(len(layer), -np.inf), ids[number][ids[number] < len(layer)]
            among = slice(None) if compared is None else compared[item]
            cosines[among] = layer[among] @ layer[item]
            cosines[item] = -np.inf
            listed = cosines[held]
            least = listed[-1] if len(held) == k else -np.inf
            others = np.delete(cosines, held)
            if (np.diff(listed) > allowed).any() or others.max() > least + allowed:
                reasons.append(
                    f"layer {number}, item {item}: these are not its {k} nearest neighbours, in order"
                )
    said = ", ".join(map(str, chosen))
    return reasons[:3], f"neighbours of items {said} found again in {layers_n} layers"


def alignment(run, artifact, rng):
    """The scores of some layer pairs."""
    table, name = pd.read_parquet(run.path(artifact)), run.metric(artifact)
    spec = METRICS[name]
    reasons, worst = [], 0.0
    if spec.family in ("kernel", "cknna", "tree") and table.n.max() > MADE_AGAIN:
        raise NotHere(f"not made again: it takes n x n matrices of {table.n.max():,} items")
    for row in table.iloc[rng.choice(len(table), size=min(ITEMS, len(table)), replace=False)].itertuples():
        k = None if pd.isna(row.k) else int(row.k)
        (x, ids_x), (y, ids_y) = (
            _layer(run, artifact, model, layer)
            for model, layer in ((row.model_x, row.layer_x), (row.model_y, row.layer_y))
        )
        again = [score(name, k, x, y, ids_x, ids_y)]
        if spec.symmetric:
            again.append(score(name, k, y, x, ids_y, ids_x))
        if spec.family == "tree":
            mean, joint = tree_weights(x, y)
            what = f"{DISTANCE} of {row.model_x} layer {row.layer_x}, {row.model_y} layer {row.layer_y}"
            reasons += differs(what, row.distance, mean - joint, rel_tol=1e-4, abs_tol=1e-4 * mean)
        off = max(abs(value - row.score) for value in again)
        worst = max(worst, off)
        allowed = TIES if name.startswith("trsa") else TOLERANCE[spec.family]
        if off > allowed and x is not None:
            # Perhaps layers whose items hardly differ: SVCCA scales them up.
            rounded = [layer.astype(np.float32).astype(float) for layer in (x, y)]
            allowed += ROUNDINGS * abs(score(name, k, *rounded, ids_x, ids_y) - again[0])
        if not off <= allowed:
            where = f"{row.model_x} layer {row.layer_x}, {row.model_y} layer {row.layer_y}"
            reasons.append(f"{name} of {where} is {row.score}, made again {again[0]:.6f}")
    return reasons, f"{min(ITEMS, len(table))} scores made again: differ by {worst:.0e} at most"


def _source(run, artifact, model):
    """The input of a tile that holds a model."""
    folder = "neighbors" if METRICS[run.metric(artifact)].family == "neighbors" else "features"
    return next(s for s in run.inputs(artifact) if s.endswith(f"/{model}.safetensors") and f"/{folder}/" in s)


def _layer(run, artifact, model, layer):
    """A layer of a model as a tile's metric takes it: prepared features (n, d) or None, neighbour ids (n, k) or None."""
    source = _source(run, artifact, model)
    if run.kind(source) == "neighbors":
        return None, read_index(run.path(source))[0][layer].numpy()
    x = _layers(run, artifact, model)[layer]
    table = run.path(source.replace("/features/", "/neighbors/"))
    # So that equal neighbours come in the same order:
    if METRICS[run.metric(artifact)].needs_k and table.is_file():
        return x, read_index(table)[0][layer].numpy()
    return x, None


def _layers(run, artifact, model):
    params = run.params(artifact)
    return run.prepared(_source(run, artifact, model), params["clamp"], params["concatenate"])


def layers(run, artifact, rng):
    """Mean cosine and effective dimension of some layers: over all pairs, and from eigenvalues."""
    table, reasons = read_table(run.path(artifact)), []
    chosen = table.iloc[rng.choice(len(table), size=min(ITEMS, len(table)), replace=False)]
    for row in chosen.itertuples():
        (source,) = (s for s in run.inputs(artifact) if s.endswith(f"/{row.dataset}/{row.model}.safetensors"))
        values = read_features(run.path(source))[0][row.layer].double().numpy()
        cosines = unit(values) @ unit(values).T
        spectrum = np.linalg.svd(values - values.mean(axis=0), compute_uv=False) ** 2
        again = {
            "norm": np.linalg.norm(values, axis=1).mean(),
            "mean_cosine": cosines[np.triu_indices(len(values), 1)].mean(),
            "dimension": spectrum.sum() ** 2 / (spectrum**2).sum(),
        }
        for column, value in again.items():
            what = f"{column} of {row.model}, layer {row.layer},"
            reasons += differs(what, getattr(row, column), value, rel_tol=1e-4, abs_tol=1e-6)
    return reasons, f"{len(chosen)} layers described again"


def gap(run, artifact, rng):
    """One model, at all shifts, from its features: the gap, whose partner is found first, and the cones, by their definitions."""
    table, reasons = read_table(run.path(artifact)), []
    model = rng.choice(table.model.unique())
    (source,) = (s for s in run.inputs(artifact) if s.endswith(f"/{model}.safetensors"))
    texts, images = (unit(values.double().numpy()) for values in read_features(run.path(source))[0])
    towards, off = images.mean(axis=0) - texts.mean(axis=0), ~np.eye(len(texts), dtype=bool)
    for row in table[table.model == model].to_dict("records"):
        moved = unit(images - row["shift"] * towards / np.linalg.norm(towards))
        between, cosines = moved.mean(axis=0) - texts.mean(axis=0), moved @ texts.T
        others = np.where(off, cosines, -2)
        again = {
            "gap": np.sign(between @ towards) * np.sqrt((between**2).sum()),
            "cosine_images": (moved @ moved.T)[off].mean(),
            "cosine_texts": (texts @ texts.T)[off].mean(),
            "cosine_unmatched": cosines[off].mean(),
            "image_to_text": np.mean(np.diag(cosines) > others.max(axis=1)),
            "text_to_image": np.mean(np.diag(cosines) > others.max(axis=0)),
        }
        for column, value in again.items():
            what = f"{column} of {model} at shift {row['shift']:g}"
            reasons += differs(what, row[column], value, rel_tol=1e-6, abs_tol=1e-9)
    return reasons[:3], f"{model} measured again at all shifts"


def likelihoods_table(run, artifact, rng):
    """d_logit of one pair, from the kept log-likelihoods."""
    table = read_table(run.path(artifact))
    row = table.iloc[int(rng.integers(len(table)))]
    sides = []
    for model in (row.model_x, row.model_y):
        (source,) = (s for s in run.inputs(artifact) if s.endswith(f"/{model}.safetensors"))
        values = read_tensors(run.path(source), LIKELIHOODS_FORMAT)[0]["log_likelihoods"].double().numpy()
        sides.append(values - values.mean(axis=1, keepdims=True))
    again = float(np.sqrt(((sides[0] - sides[1]) ** 2).sum(axis=1).mean()))
    what = f"d_logit of {row.model_x}, {row.model_y} measured again"
    return differs("d_logit", row.d_logit, again), what


def windows(run, artifact, rng):
    """Some scores of windows, from the definition."""
    table, params, reasons = read_table(run.path(artifact)), run.params(artifact), []
    chosen = table.iloc[rng.choice(len(table), size=min(ITEMS, len(table)), replace=False)]
    for row in chosen.itertuples():
        sides = []
        for model, number in ((row.model_x, row.layer_x), (row.model_y, row.layer_y)):
            (source,) = (s for s in run.inputs(artifact) if s.endswith(f"/{row.dataset}/{model}.safetensors"))
            sides.append(run.prepared(source, params["clamp"], params["concatenate"])[int(number)])
        again = score(f"trsa_{row.low}_{row.high}", None, *sides)
        what = f"{row.model_x}, {row.model_y}, {row.low} to {row.high}"
        reasons += differs(what, row.score, again, abs_tol=TIES)
    return reasons, f"{len(chosen)} windows measured again"


def density(run, artifact, rng):
    """Some scores of language models with vision models at some levels, by the layers that the table names."""
    params, sources = run.params(artifact), run.inputs(artifact)
    (path,) = (source for source in sources if run.kind(source) == "caption levels")
    levels, table = read_levels(run.path(path)), read_table(run.path(artifact))
    place = {caption: i for i, caption in enumerate(distinct_captions(levels))}
    items, rows = items_of(levels), table[table.vision != MEAN]

    def layer(folder, model, chosen, number):
        (source,) = (
            s for s in sources if s.startswith(f"results/{folder}/") and s.endswith(f"/{model}.safetensors")
        )
        raw = [values[chosen] for values in read_features(run.path(source))[0]]
        return Prepared(raw, params["clamp"], params["concatenate"])[int(number)]

    reasons, picked = [], rows.iloc[rng.choice(len(rows), size=min(ITEMS, len(rows)), replace=False)]
    for row in picked.itertuples():
        captions = levels[levels.level == row.level].caption.map(place)
        own = row.level == OWN
        x = layer(
            "features" if own else "levels", row.language, items if own else captions.tolist(), row.layer_x
        )
        again = score("mutual_knn", params["k"], x, layer("features", row.vision, items, row.layer_y))
        what = f"{row.language} with {row.vision} at `{row.level}`"
        reasons += differs(what, row.score, again, abs_tol=TIES)
    return reasons, f"{len(picked)} scores made again"


def colour(run, artifact, rng):
    """Spearman's correlation of one language model's distances with CIELAB's, from the kept distances and the words' places."""
    table, places = read_table(run.path(artifact)), read_table(run.path("results/colour/places.csv"))
    spaces = [source for source in run.inputs(artifact) if run.kind(source) == "colour words"]
    if not spaces:
        raise NotHere("not made again: no language model in it")
    found = json.loads(run.path(spaces[int(rng.integers(len(spaces)))]).read_text(encoding="utf-8"))
    rows = table[table.space == found["model"]]
    row = rows.iloc[int(rng.integers(len(rows)))]
    mine = places[(places.space == row.space) & (places.of == row.of)]
    where = [found["words"].index(word) for word in mine.colour]
    true = mine[["true_l", "true_a", "true_b"]].to_numpy()
    pairs = [(i, j) for i in range(len(where)) for j in range(i)]
    kept = [found["distances"][where[i]][where[j]] for i, j in pairs]
    again = float(
        np.corrcoef(
            mid_ranks(np.array(kept)),
            mid_ranks(np.array([np.linalg.norm(true[i] - true[j]) for i, j in pairs])),
        )[0, 1]
    )
    what = f"the correlation of {row.space}, {row.of}, made again"
    return differs(f"rho of {row.space}", row.rho, again, abs_tol=1e-9), what


def calibration(run, artifact, rng):
    """The whole null of one model pair."""
    params = run.params(artifact)
    if run.metric(artifact) != "mutual_knn":
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
        reasons += differs(
            f"{column} of {row.model_x}, {row.model_y}", getattr(row, column), value, abs_tol=1e-9
        )
    what = f"the null of {row.model_x}, {row.model_y}, k = {k}, made again with {len(orders)} permutations"
    return reasons, what
