"""Checks of what is computed per model or pair of models: features, neighbours, alignment, nulls, scores. See `artifacts`."""

import itertools
import json
import math

import numpy as np
import pandas as pd
import torch

from prh.alignment.catalogue import METRICS, SAMPLES_HELD
from prh.alignment.large import StoredLayers, join_candidates, read_candidates
from prh.alignment.largest import NOTHING, split
from prh.alignment.neighbors import read_index, slices
from prh.features.layers import STORED, each_layer, read_metadata
from prh.features.tensors import read_tensors
from prh.provenance import MANIFEST, file_digest
from prh.sources.caption_levels import distinct_captions, read_levels
from prh.sources.datasets import which_caption
from prh.tables import (
    COLOUR_PLACES,
    DISTANCE,
    ERROR,
    LIKELIHOODS_FORMAT,
    NULLS,
    SCORES,
    read_parts,
    read_table,
)

ROUNDING = 1e-6  # float32 sums in another order; metrics that reach their bound may pass it by so much
SHARES = ("acc", "exact_match")  # measures of lm-eval that are shares of documents


def features(run, artifact):
    """Layers and widths of the model's row, a finite row per pair, or pair of a shard, that is not all zeros; of this model and data set."""
    metadata, params = read_metadata(run.path(artifact)), run.params(artifact)
    row = params["row"]
    if (metadata["model"], metadata["revision"]) != (row["name"], row["revision"]):
        yield f"is of {metadata['model']} at {metadata['revision']}, the rule asked for {row['name']} at {row['revision']}"
    yield from _weights(metadata, params)
    for source in run.sources(artifact):
        if run.kind(source) == "model" and not source.endswith(f"/{row['name']}"):
            continue  # of another model that the same job ran
        made_from = metadata[f"{run.kind(source)}_sha256"]
        if run.is_intact(source) and made_from != file_digest(run.path(source) / MANIFEST):
            yield f"was made from another {source}"
    begin, end = params.get("part") or (None, metadata["pairs"])
    if metadata.get("begin") != begin:
        yield f"begins with item {metadata.get('begin')}, the rule asked for {begin}"
    row = row | {"layers": 1} if params.get("last_only") else row
    yield from _layers(run.path(artifact), row, end - (begin or 0), params.get("store", "float32"))


def level_features(run, artifact):
    """As `features`, of the distinct captions of all levels."""
    metadata = read_metadata(run.path(artifact))
    params, levels = run.params(artifact), None
    if metadata["model"] != params["row"]["name"]:
        yield f"is of {metadata['model']}, the rule asked for {params['row']['name']}"
    yield from _weights(metadata, params)
    for source in run.inputs(artifact):
        if run.kind(source) == "caption levels" and run.is_intact(source):
            levels = len(distinct_captions(read_levels(run.path(source))))
            if metadata["levels_sha256"] != file_digest(run.path(source)):
                yield f"was made from another {source}"
    yield from _layers(run.path(artifact), params["row"], levels or metadata["captions"])


def _layers(path, row, count, store="float32"):
    """Layers and width of the model's row, where it says them; a finite row for each of so many items, not all zeros, of the type asked for."""
    widths = []
    for name, dtype, values in each_layer(path):
        widths.append(values.shape[-1])
        if dtype != STORED[store] or values.ndim != 2:
            yield f"layer {name} is {tuple(values.shape)} {dtype}, not (n, d) {store}"
        elif len(values) != count:
            yield f"layer {name} has {len(values)} rows, not one for each of {count} items"
        elif not torch.isfinite(values).all():
            yield f"layer {name} has NaN or infinity"
        elif (values == 0).all(dim=1).any():
            yield f"layer {name}: row {int((values == 0).all(dim=1).nonzero()[0])} is all zeros"
    for column, found in (("layers", len(widths)), ("width", widths[-1])):
        if row[column] not in (None, found):
            yield f"{column} is {found}; the model's row says {row[column]}"


def neighbors(run, artifact):
    """As many neighbours as asked for, in range, distinct, none itself; layers and items are those of the features; the nearest of candidates."""
    ids, metadata = read_index(run.path(artifact))  # checks shape, type and range
    yield from _neighbors(run, artifact, ids, torch.arange(ids.shape[1]), metadata)
    parts = [source for source in run.inputs(artifact) if run.kind(source) == "neighbor candidates"]
    if not parts or not all(map(run.is_intact, parts)):
        return
    if not torch.equal(ids, join_candidates([str(run.path(part)) for part in parts])[0]):
        yield f"is not what the {len(parts)} files of candidates, {parts[0]} and so on, hold"


def neighbor_candidates(run, artifact):
    """As `neighbors`, of the part that was asked for, and only items that its job compared."""
    found, metadata = read_candidates(run.path(artifact))
    params, own = run.params(artifact), metadata["part"]
    if (own, metadata["size"]) != (params["part"], params["size"]):
        yield f"is of part {own} of {metadata['size']} items, the rule asked for {params['part']} of {params['size']}"
    parts = slices(0, metadata["n"], metadata["size"])
    for other, numbers in found.items():
        items = torch.arange(parts[other].start, parts[other].stop)
        ids = torch.where(numbers == NOTHING, -1 - torch.arange(numbers.shape[2]), split(numbers)[1])
        compared = torch.tensor([*found] if other == own else [own])
        foreign = ((ids >= 0) & ~torch.isin(ids // metadata["size"], compared)).any(dim=2).nonzero()
        if len(foreign):
            yield f"layer {int(foreign[0, 0])}: item {int(items[foreign[0, 1]])} has a candidate that this job did not compare it with"
        yield from _neighbors(run, artifact, ids, items, metadata)


def _neighbors(run, artifact, ids, items, metadata):
    """What is wrong with the neighbours (layers, n, k) of some items."""
    layers, _, k = ids.shape
    params = run.params(artifact)
    if k != params["k_max"]:
        yield f"{k} neighbours, the rule asked for {params['k_max']}"
    if len(metadata["layers"].split(",")) != layers:
        yield f"{layers} layers, but {len(metadata['layers'].split(','))} names"
    own = (ids == items.view(1, -1, 1)).any(dim=2).nonzero()
    if len(own):
        yield f"layer {int(own[0, 0])}: item {int(items[own[0, 1]])} is its own neighbour"
    ordered = ids.sort(dim=2).values
    twice = (ordered[:, :, 1:] == ordered[:, :, :-1]).any(dim=2).nonzero()
    if len(twice):
        yield f"layer {int(twice[0, 0])}: item {int(items[twice[0, 1]])} has a neighbour twice"
    (source,) = (source for source in run.inputs(artifact) if run.kind(source) == "features")
    if run.is_intact(source):
        features, n = StoredLayers(run.path(source)), metadata.get("n", len(items))
        if n != features.n or layers != len(features) + bool(params["concatenate"]):
            yield f"({layers}, {n}, ...) does not fit {source}: {len(features)} layers, {features.n} items"


def colour_words(run, artifact):
    """Distances of the table's words: symmetric, 0 to itself, finite, of the model asked for."""
    found, params = json.loads(run.path(artifact).read_text(encoding="utf-8")), run.params(artifact)
    distances = np.array(found["distances"])
    if found["model"] != params["row"]["name"] or found["layers"] != params["layers"]:
        yield f"is of {found['model']}, {found['layers']} layers; asked were {params['row']['name']}, {params['layers']}"
    if (
        distances.shape != (len(found["words"]),) * 2
        or not np.isfinite(distances).all()
        or (distances < 0).any()
    ):
        yield f"distances are {distances.shape} for {len(found['words'])} words, or not all finite and positive"
    elif not np.allclose(distances, distances.T) or not np.allclose(np.diag(distances), 0, atol=1e-4):
        yield "distances are not symmetric, or a word is not at 0 from itself"


def colour_places(run, artifact):
    """A place for each colour of each space, finite, words where CIELAB has them."""
    table = read_table(run.path(artifact))
    if list(table.columns) != COLOUR_PLACES or not np.isfinite(table[COLOUR_PLACES[3:]]).all(axis=None):
        yield "has other columns than it should, or a place that is not finite"
        return
    if table.duplicated(["space", "of", "colour"]).any():
        yield "a colour stands twice in a space"
    if not table.true_l.between(-ROUNDING, 100 + ROUNDING).all():
        yield "a lightness lies outside 0 ... 100"


def alignment(run, artifact):
    """Every layer pair of every model pair asked for, once, with a score that the metric can have."""
    table, params = read_parts([run.path(artifact)], SCORES), run.params(artifact)
    metric = run.metric(artifact)
    yield from scores_in_bounds(table)
    if set(table.metric) != {metric}:
        yield f"holds scores of {', '.join(sorted(set(table.metric) ^ {metric}))}"
    wanted = {(x, y, k) for x, y in params["pairs"] for k in params["metrics"][metric]}
    groups = table.groupby(["model_x", "model_y", "k"], dropna=False)
    found = {(x, y, None if pd.isna(k) else int(k)) for x, y, k in groups.groups}
    if found != wanted:
        yield f"holds other model pairs than the rule asked for, such as {sorted(map(str, found ^ wanted))[0]}"
    for (x, y, _), group in groups:
        grid = (group.layer_x.max() + 1) * (group.layer_y.max() + 1)
        if len(group) != grid or group.duplicated(["layer_x", "layer_y"]).any():
            yield f"{x}, {y}: {len(group)} layer pairs, not each of {grid} once"

    if metric == "mutual_knn":
        yield from _triangles(table)
    if METRICS[metric].kernel == "ranks" and (table.n > SAMPLES_HELD).any():
        yield from _errors_of_ranks(run.path(artifact))
    if METRICS[metric].family == "tree":
        yield from _tree_distances(run.path(artifact))


def _errors_of_ranks(path):
    """Ranks by blocks say by how much each score is off at most, and it is little."""
    table = pd.read_parquet(path)
    if ERROR not in table:
        yield f"has no column {ERROR}"
    elif not table[ERROR].between(0, 0.01).all():
        yield f"a score is off by up to {table[ERROR].max()}: more than a hundredth"


def _tree_distances(path):
    """The distance column is there, is not negative, and is 0 where one tree serves both layers."""
    table = pd.read_parquet(path)
    if DISTANCE not in table:
        yield f"has no column {DISTANCE}"
    elif not (table[DISTANCE] >= -ROUNDING).all():
        yield f"a {DISTANCE} is negative"
    elif not np.allclose(table[DISTANCE].where(table.score >= 1, 0), 0, atol=1e-6):
        yield f"a {DISTANCE} is not 0 where the score is 1"


def _triangles(table, count=2000):
    """m(A, C) >= m(A, B) + m(B, C) - 1 for layers of three models: of k neighbours, those that B shares with both are shared."""
    models = sorted({*table.model_x, *table.model_y})
    rng = np.random.default_rng(0)
    for k, group in table.groupby("k"):
        grids = {}
        for (x, y), part in group.groupby(["model_x", "model_y"]):
            grids[x, y] = part.pivot(index="layer_x", columns="layer_y", values="score").to_numpy()
            grids[y, x] = grids[x, y].T
        triples = [
            (a, b, c)
            for a, b, c in itertools.permutations(models, 3)
            if {(a, b), (b, c), (a, c)} <= grids.keys()
        ]
        for number in (
            rng.choice(len(triples), size=min(len(triples), count // 100), replace=False) if triples else []
        ):
            a, b, c = triples[number]
            first, second, third = (grids[pair] for pair in ((a, b), (b, c), (a, c)))
            for _ in range(100):
                i, j, m = (int(rng.integers(size)) for size in (*first.shape, third.shape[1]))
                if third[i, m] < first[i, j] + second[j, m] - 1 - ROUNDING:
                    yield f"k = {k}: layers {i}, {j}, {m} of {a}, {b}, {c} break the triangle of shared neighbours"
                    return


def likelihoods(run, artifact):
    """As many places and labels as asked for, logarithms of probabilities that add up to 1 at most."""
    tensors, metadata = read_tensors(run.path(artifact), LIKELIHOODS_FORMAT)
    params, values = run.params(artifact), tensors["log_likelihoods"].double()
    yield from _weights(metadata, params)
    if (
        tuple(values.shape) != (params["inputs"], params["labels"])
        or len(tensors["labels"].unique()) != params["labels"]
    ):
        yield f"holds {tuple(values.shape)} places and labels, asked were {params['inputs']}, {params['labels']}"
    if not values.isfinite().all() or (values.exp().sum(dim=1) > 1 + 1e-4).any():
        yield "its values are not logarithms of probabilities"


def likelihoods_table(run, artifact):
    """Each pair asked for, once; d_LLV the larger of its parts, distances within their intervals."""
    table, params = read_table(run.path(artifact)), run.params(artifact)
    if [list(pair) for pair in zip(table.model_x, table.model_y, strict=True)] != [
        list(p) for p in params["pairs"]
    ]:
        yield "holds other pairs than the rule asked for"
    if (
        not np.allclose(table.d_llv, table[["t1", "t2"]].max(axis=1))
        and (table.d_llv < table[["t1", "t2"]].max(axis=1)).any()
    ):
        yield "a d_LLV is less than one of its parts"
    if (table.d_logit < 0).any() or (table.ci_low > table.ci_high).any():
        yield "a distance is negative, or an interval the wrong way round"


def layers_table(run, artifact):
    """A row for each layer of each model, in order, with values that there can be."""
    table, params = read_table(run.path(artifact)), run.params(artifact)
    found = list(dict.fromkeys(zip(table.dataset, table.model, strict=True)))
    if found != [tuple(pair) for pair in params["of"]]:
        yield "holds other models than the rule asked for"
    if (table.groupby(["dataset", "model"]).cumcount() != table.layer).any():
        yield "a model's layers are not in order, each once"
    if not table.mean_cosine.between(-1, 1 + ROUNDING).all() or not table.clamped.between(0, 1).all():
        yield "a mean cosine or a share lies outside what there can be"
    if not table.dimension.between(1 - ROUNDING, table.width + ROUNDING).all():
        yield "an effective dimension lies outside 1 ... width"


def gap_table(run, artifact):
    """Each model at each shift, once, with values that there can be."""
    table, params = read_table(run.path(artifact)), run.params(artifact)
    asked = [(model, shift) for model in params["models"] for shift in params["shifts"]]
    if list(zip(table.model, table["shift"], strict=True)) != asked:
        yield "holds other models or shifts than the rule asked for"
    if not table.gap.between(-2 - ROUNDING, 2 + ROUNDING).all() or (table.gap_low > table.gap_high).any():
        yield "a gap lies outside -2 ... 2, or an interval is the wrong way round"
    shares = ["image_to_text", "text_to_image", "mutual_knn"]
    if not ((table[shares] >= 0) & (table[shares] <= 1)).all(axis=None):
        yield "a share lies outside 0 ... 1"
    if (table.loss < 0).any():
        yield "a loss is negative"


def windows_table(run, artifact):
    """Each chosen pair of models with each window, once, between the edges; the calibrated score follows from score and tau."""
    table, params = read_table(run.path(artifact)), run.params(artifact)
    for (dataset, x, y), group in table.groupby(["dataset", "model_x", "model_y"], sort=False):
        if [*group.low, group.high.iloc[-1]] != params["edges"]:
            yield f"{x}, {y} on {dataset} have other windows than the rule asked for"
    if not table.score.between(-1 - ROUNDING, 1 + ROUNDING).all() or (table.ci_low > table.ci_high).any():
        yield "a score lies outside -1 ... 1, or an interval is the wrong way round"
    again = ((table.score - table.tau) / (1 - table.tau)).clip(lower=0)
    if not np.allclose(table.calibrated_score, again, atol=1e-9):
        yield "a calibrated score does not follow from score and tau"


def scores_in_bounds(table):
    """The scores of a table are finite and within their metric's bounds."""
    for name, group in table.groupby("metric", sort=False):
        metric = METRICS[name]
        low = -math.inf if metric.minimum is None else metric.minimum - ROUNDING
        high = math.inf if metric.maximum is None else metric.maximum + ROUNDING
        bad = group[~(np.isfinite(group.score) & group.score.between(low, high))]
        if len(bad):
            row = bad.iloc[0]
            yield f"{name} of {row.model_x}, {row.model_y} is {row.score}, outside {metric.minimum} ... {metric.maximum}"


def calibration(run, artifact):
    """The model pairs asked for, p-values that the number of permutations allows, nulls below thresholds."""
    table, params = read_parts([run.path(artifact)], NULLS), run.params(artifact)
    if {(r.model_x, r.model_y) for r in table.itertuples()} != {tuple(pair) for pair in params["pairs"]}:
        yield "holds other model pairs than the rule asked for"
    steps = table.p_value * (params["permutations"] + 1)
    if not (
        table.p_value.between(0, 1) & (steps >= 1 - ROUNDING) & ((steps - steps.round()).abs() < ROUNDING)
    ).all():
        yield f"a p-value is not one of 1 ... {params['permutations'] + 1} out of {params['permutations'] + 1}"
    if not np.isfinite(table[["null_mean", "tau", "calibrated_score"]]).all(axis=None):
        yield "a null, threshold or calibrated score is not finite"
    if not (table.null_mean <= table.tau + ROUNDING).all() and params["alpha"] <= 0.2:
        yield "a null's mean lies above its threshold"
    if (table.calibrated_score < 0).any():
        yield "a calibrated score is negative"
    if METRICS[run.metric(artifact)].maximum is not None and (table.calibrated_score > 1 + ROUNDING).any():
        yield "a calibrated score is above 1"
    if not (table.ci_low.isna() == table.ci_high.isna()).all() or (table.ci_low > table.ci_high).any():
        yield "an interval is the wrong way round"


def performance(run, artifact):
    """Windows that fit the number of tokens and add up; the bytes are the text's."""
    found = json.loads(run.path(artifact).read_text(encoding="utf-8"))
    params = run.params(artifact)
    yield from _weights(found, params)
    if not (math.isfinite(found["bits_per_byte"]) and found["bits_per_byte"] > 0):
        yield f"bits_per_byte is {found['bits_per_byte']}"
    if (found["window"], found["stride"]) != (params["window"], params["stride"]):
        yield "window or stride are not those that the rule asked for"
    beyond = max(0, found["tokens"] - (found["window"] - 1))  # what the first window does not reach
    if found["windows"] != 1 + math.ceil(beyond / found["stride"]):
        yield f"{found['windows']} windows do not fit {found['tokens']} tokens"
    total = math.fsum(found["window_nats"]) / math.log(2) / found["bytes"]
    if len(found["window_nats"]) != found["windows"] or not math.isclose(total, found["bits_per_byte"]):
        yield "the windows do not add up to bits_per_byte"
    for source in run.inputs(artifact):
        if run.kind(source) == "corpus" and run.is_intact(source):
            size = run.path(source).stat().st_size
            if size != found["bytes"]:
                yield f"is of {found['bytes']} bytes, {source} has {size}"


def captions(run, artifact):
    """Bits per caption that give the bits-per-byte, over the bytes of the data set's captions."""
    found = json.loads(run.path(artifact).read_text(encoding="utf-8"))
    yield from _weights(found, run.params(artifact))
    bits = np.array(found["caption_bits"], dtype=float)
    if len(bits) != found["captions"]:
        yield f"has the bits of {len(bits)} captions, says {found['captions']}"
    if not (np.isfinite(bits) & (bits >= 0)).all():
        yield f"the bits of caption {int((~(np.isfinite(bits) & (bits >= 0))).argmax())} are not a number of bits"
    if not math.isclose(bits.sum() / found["bytes"], found["pooled_bits_per_byte"]):
        yield "the captions' bits do not add up to pooled_bits_per_byte"
    for source in run.inputs(artifact):
        if run.kind(source) == "dataset" and run.is_intact(source):
            texts = pd.read_parquet(run.path(source) / "captions.parquet").caption
            if found.get("caption") != which_caption(run.path(source)).get("caption"):
                yield f"is of the {found.get('caption')} caption of each item, which {source} does not say"
            sizes = texts.map(lambda text: len(text.encode())).to_numpy()
            if len(sizes) != len(bits) or sizes.sum() != found["bytes"]:
                yield f"is of {len(bits)} captions, {found['bytes']} bytes; {source} has {len(sizes)}, {sizes.sum()}"
            elif not math.isclose((bits / sizes).mean(), found["bits_per_byte"]):
                yield "bits_per_byte is not the mean over captions"


def downstream(run, artifact):
    """The tasks asked for, in shots and documents as asked; shares that so many documents can give, with their error."""
    found, params = json.loads(run.path(artifact).read_text(encoding="utf-8")), run.params(artifact)
    yield from _weights(found, params)
    tasks = [f"{score['task']}@{score['shots']}" for score in found["scores"]]
    if tasks != params["tasks"]:
        yield f"holds {', '.join(tasks)}, the rule asked for {', '.join(params['tasks'])}"
    for score in found["scores"]:
        what, n, value = f"{score['task']}: {score['measure']}", score["documents"], score["value"]
        if n < 1 or (params["limit"] and n > params["limit"]):
            yield f"{what} is of {n} documents, the rule asked for {params['limit'] or 'all'}"
        elif not math.isfinite(value):
            yield f"{what} is {value}"
        elif score["measure"].startswith(SHARES):
            yield from (f"{what} {reason}" for reason in _share(value, score["stderr"], n))


def _share(value, error, n):
    """A share of n documents is one of 0/n ... n/n, and its standard error follows from it."""
    if not 0 <= value <= 1 or abs(value * n - round(value * n)) > ROUNDING * n:
        yield f"is {value}, not a share of {n} documents"
    elif error is not None and n > 1:
        expected = math.sqrt(value * (1 - value) / (n - 1))
        if not math.isclose(error, expected, rel_tol=1e-3, abs_tol=ROUNDING):
            yield f"has the standard error {error}, a share of {value} of {n} documents {expected:.6f}"


def _weights(found, params):
    """It says with which type and quantisation of the weights it was made, and these were asked for."""
    for key, value in (params.get("weights") or {}).items():
        if found.get(key) != value:
            yield f"was made with {key} {found.get(key)}, the rule asked for {value}"
