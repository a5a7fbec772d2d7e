"""Is an artifact what its kind should be? Format and meaning, and whether its numbers follow from what it was made from.

A check is a generator: it takes the run and the artifact's name, and yields a reason for each thing that is wrong.
Whatever it raises counts as a reason too. Nothing is taken from memory: what belongs together is read again from files.
"""

import io
import json
import math
import re
import zipfile
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors import safe_open
from scipy import stats

from prh.catalogue import METRICS
from prh.features import read_features
from prh.neighbors import read_index
from prh.plain import step_up
from prh.provenance import MANIFEST, read_manifest, tree_files
from prh.tables import ALIGNMENT, CORRELATION, PAIR, PERFORMANCE, best_layer_pairs, read_table

KINDS = {
    "package": r"results/packages/[^/]+\.whl",
    "dataset": r"results/data/[^/]+",
    "corpus": r"results/corpora/[^/]+\.txt",
    "model": r"results/models/[^/]+",
    "features": r"results/features/.+\.safetensors",
    "neighbors": r"results/neighbors/.+\.safetensors",
    "alignment": r"results/alignment/.+\.parquet",
    "calibration": r"results/calibration/.+\.parquet",
    "performance": r"results/performance/.+\.json",
    "alignment table": r"results/tables/alignment\.csv",
    "performance table": r"results/tables/performance\.csv",
    "correlation table": r"results/tables/correlation\.csv",
    "figure": r"figures/.+\.(pdf|png|csv)",
    "report": r"results/report/.+",
    "crate": r"results/crate\.zip",
}
ROUNDING = 1e-6  # float32 sums in another order; metrics that reach their bound may pass it by so much
SCORES = ["dataset", "metric", "k", "model_x", "model_y", "layer_x", "layer_y", "score", "n"]
CALIBRATED = [
    *("dataset", "metric", "k", "model_x", "model_y", "ci_low", "ci_high"),
    *("null_mean", "tau", "p_value", "calibrated_score"),
]


def kind_of(artifact):
    """The kind of an artifact, by where it lies; "other" if none."""
    return next((kind for kind, path in KINDS.items() if re.fullmatch(path, artifact)), "other")


def reasons(run, artifact):
    """All that is wrong with an artifact of a known kind; empty if nothing is, or no check is known."""
    check = CHECKS.get(kind_of(artifact))
    if check is None:
        return []
    found = []
    try:
        found.extend(check(run, artifact))
    except Exception as error:  # a damaged file may make a library raise anything
        found.append(f"cannot be checked ({type(error).__name__}: {str(error).split(chr(10))[0]})")
    return found


def _package(run, artifact):
    pinned = run.params(artifact)["package"]
    if run.sha256(artifact) != pinned["sha256"]:
        yield f"is not the wheel that was pinned ({pinned['package']}=={pinned['version']})"
    if not zipfile.is_zipfile(run.path(artifact)):
        yield "is not a wheel"


def _dataset(run, artifact):
    folder = run.path(artifact)
    yield from _folder(folder)
    table = pd.read_parquet(folder / "captions.parquet")
    if list(table.columns) != ["id", "image", "caption", "source"]:
        yield f"captions.parquet has the columns {', '.join(table.columns)}"
        return
    if len(table) != read_manifest(folder)["pairs"]:
        yield f"captions.parquet has {len(table)} pairs, the manifest says {read_manifest(folder)['pairs']}"
    if not table.id.is_unique:
        yield f"captions.parquet: id `{table.id[table.id.duplicated()].iloc[0]}` stands twice"
    for row in table.itertuples():
        if not row.caption.strip():
            yield f"captions.parquet: the caption of {row.id} is empty"
        try:
            with Image.open(folder / row.image) as image:
                image.load()
        except (OSError, SyntaxError) as error:
            yield f"{row.image}: not a readable image ({error})"


def _model(run, artifact):
    folder = run.path(artifact)
    yield from _folder(folder)
    for path in sorted(folder.rglob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in sorted(file.keys()):
                values = file.get_tensor(name)
                if values.is_floating_point() and not torch.isfinite(values).all():
                    yield f"{path.relative_to(folder)}: {name} has NaN or infinity"


def _folder(folder):
    """The files of a folder are those of its manifest. Digests are the audit's own matter."""
    listed, found = set(read_manifest(folder)["files"]), {*tree_files(folder)} - {MANIFEST}
    yield from (f"{name}: in the manifest, but not there" for name in sorted(listed - found))
    yield from (f"{name}: there, but not in the manifest" for name in sorted(found - listed))


def _corpus(run, artifact):
    size = len(run.path(artifact).read_text(encoding="utf-8").encode())
    if size < run.params(artifact)["row"]["bytes"]:
        yield f"has {size} bytes, the corpus table asks for {run.params(artifact)['row']['bytes']}"


def _features(run, artifact):
    layers, names, metadata = read_features(run.path(artifact))
    row = run.params(artifact)["row"]
    if len(layers) != row["layers"] or layers[-1].shape[1] != row["width"]:
        yield f"{len(layers)} layers, the last of width {layers[-1].shape[1]}; the model has {row['layers']}, {row['width']}"
    for name, values in zip(names, layers, strict=True):
        if values.dtype != torch.float32 or values.ndim != 2:
            yield f"layer {name} is {tuple(values.shape)} {values.dtype}, not (n, d) float32"
        elif len(values) != metadata["pairs"]:
            yield f"layer {name} has {len(values)} rows, the data set {metadata['pairs']} pairs"
        elif not torch.isfinite(values).all():
            yield f"layer {name} has NaN or infinity"
        elif (values == 0).all(dim=1).any():
            yield f"layer {name}: row {int((values == 0).all(dim=1).nonzero()[0])} is all zeros"


def _neighbors(run, artifact):
    ids, metadata = read_index(run.path(artifact))  # checks shape, type and range
    layers, n, k = ids.shape
    params = run.params(artifact)
    if k != params["k_max"]:
        yield f"{k} neighbours, the rule asked for {params['k_max']}"
    if len(metadata["layers"].split(",")) != layers:
        yield f"{layers} layers, but {len(metadata['layers'].split(','))} names"
    own = (ids == torch.arange(n).view(1, n, 1)).any(dim=2).nonzero()
    if len(own):
        yield f"layer {int(own[0, 0])}: item {int(own[0, 1])} is its own neighbour"
    ordered = ids.sort(dim=2).values
    twice = (ordered[:, :, 1:] == ordered[:, :, :-1]).any(dim=2).nonzero()
    if len(twice):
        yield f"layer {int(twice[0, 0])}: item {int(twice[0, 1])} has a neighbour twice"
    (source,) = run.inputs(artifact)
    if run.is_intact(source):
        features, _, _ = read_features(run.path(source))
        if n != len(features[0]) or layers != len(features) + bool(params["concatenate"]):
            yield f"({layers}, {n}, ...) does not fit {source}: {len(features)} layers, {len(features[0])} items"


def _alignment(run, artifact):
    table, params = pd.read_parquet(run.path(artifact)), run.params(artifact)
    if list(table.columns) != SCORES:
        yield f"the columns are {', '.join(table.columns)}"
        return
    yield from _scores(table)
    wanted = {(x, y, k) for x, y in params["pairs"] for k in params["k"]}
    groups = table.groupby(["model_x", "model_y", "k"], dropna=False)
    found = {(x, y, None if pd.isna(k) else int(k)) for x, y, k in groups.groups}
    if found != wanted:
        yield f"holds other model pairs than the rule asked for, such as {sorted(map(str, found ^ wanted))[0]}"
    for (x, y, _), group in groups:
        grid = (group.layer_x.max() + 1) * (group.layer_y.max() + 1)
        if len(group) != grid or group.duplicated(["layer_x", "layer_y"]).any():
            yield f"{x}, {y}: {len(group)} layer pairs, not each of {grid} once"


def _scores(table):
    """Scores are finite and within their metric's bounds."""
    for name, group in table.groupby("metric", sort=False):
        metric = METRICS[name]
        low = -math.inf if metric.minimum is None else metric.minimum - ROUNDING
        high = math.inf if metric.maximum is None else metric.maximum + ROUNDING
        bad = group[~(np.isfinite(group.score) & group.score.between(low, high))]
        if len(bad):
            row = bad.iloc[0]
            yield f"{name} of {row.model_x}, {row.model_y} is {row.score}, outside {metric.minimum} ... {metric.maximum}"


def _calibration(run, artifact):
    table, params = pd.read_parquet(run.path(artifact)), run.params(artifact)
    if list(table.columns) != CALIBRATED:
        yield f"the columns are {', '.join(table.columns)}"
        return
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
    if METRICS[params["metric"]].maximum is not None and (table.calibrated_score > 1 + ROUNDING).any():
        yield "a calibrated score is above 1"
    if not (table.ci_low.isna() == table.ci_high.isna()).all() or (table.ci_low > table.ci_high).any():
        yield "an interval is the wrong way round"


def _performance(run, artifact):
    found = json.loads(run.path(artifact).read_text(encoding="utf-8"))
    params = run.params(artifact)
    if not (math.isfinite(found["bits_per_byte"]) and found["bits_per_byte"] > 0):
        yield f"bits_per_byte is {found['bits_per_byte']}"
    if (found["window"], found["stride"]) != (params["window"], params["stride"]):
        yield "window or stride are not those that the rule asked for"
    beyond = max(0, found["tokens"] - (found["window"] - 1))  # what the first window does not reach
    if found["windows"] != 1 + math.ceil(beyond / found["stride"]):
        yield f"{found['windows']} windows do not fit {found['tokens']} tokens"
    if "window_nats" in found:
        total = math.fsum(found["window_nats"]) / math.log(2) / found["bytes"]
        if len(found["window_nats"]) != found["windows"] or not math.isclose(total, found["bits_per_byte"]):
            yield "the windows do not add up to bits_per_byte"
    for source in run.inputs(artifact):
        if kind_of(source) == "corpus" and run.is_intact(source):
            size = run.path(source).stat().st_size
            if size != found["bytes"]:
                yield f"is of {found['bytes']} bytes, {source} has {size}"


def _alignment_table(run, artifact):
    table = read_table(run.path(artifact))
    if list(table.columns) != ALIGNMENT:
        yield f"the columns are {', '.join(table.columns)}"
        return
    yield from _scores(table)
    for column in ("p_value", "q_value"):
        if not table[column].dropna().between(0, 1).all():
            yield f"a {column} lies outside 0 ... 1"
    if (table.q_value < table.p_value - ROUNDING).any():
        yield "a q-value is below its p-value"
    for _, group in table.dropna(subset="p_value").groupby(["dataset", "metric", "k"], dropna=False):
        if not np.allclose(group.q_value, step_up(group.p_value)):
            yield f"q-values of {group.metric.iloc[0]} are not the Benjamini-Hochberg ones of its p-values"
    sources = [source for source in run.inputs(artifact) if run.is_intact(source)]
    tiles = [source for source in sources if kind_of(source) == "alignment"]
    for source in tiles:
        yield from _best(table, pd.read_parquet(run.path(source)), source)
    if len(tiles) == sum(kind_of(source) == "alignment" for source in run.inputs(artifact)):
        rows = sum(len(best_layer_pairs(pd.read_parquet(run.path(source)))) for source in tiles)
        if rows != len(table):
            yield f"has {len(table)} rows, its tiles have {rows} model pairs"
    for source in sources:
        if kind_of(source) == "calibration":
            found = pd.read_parquet(run.path(source))
            for column in CALIBRATED[5:]:
                yield from _same(table, found, column, source)


def _best(table, layers, source):
    """Each model pair's row is the maximum of its layer pairs, the first one in reading order."""
    top = layers[layers.score == layers.groupby(PAIR, dropna=False).score.transform("max")]
    top = top.sort_values(["layer_x", "layer_y"]).drop_duplicates(PAIR)
    for column, what in (
        ("score", "the maximum"),
        ("layer_x", "the best layer"),
        ("layer_y", "the best layer"),
    ):
        yield from _same(table, top, column, source, what)
    joined = top.merge(table, on=PAIR, suffixes=("_there", ""))
    mutual = joined[joined.metric == "mutual_knn"]
    wrong = mutual[~np.isclose(mutual.chance, (mutual.k / (mutual.n - 1)).astype(float))]
    if len(wrong):
        yield f"chance of {wrong.model_x.iloc[0]}, {wrong.model_y.iloc[0]} is not k / (n - 1)"


def _same(table, source_table, column, source, what="what it is"):
    """The model pairs of `source_table` stand in `table`, each once, with the same value in `column`."""
    joined = source_table.merge(table, how="left", on=PAIR, suffixes=("_there", ""), indicator=True)
    lost = joined[joined._merge == "left_only"]
    if len(lost) or len(joined) != len(source_table):
        row = lost.iloc[0] if len(lost) else joined[joined.duplicated(PAIR)].iloc[0]
        yield f"{row.metric} of {row.model_x}, {row.model_y} does not stand in it once"
        return
    mine, there = joined[column], joined[f"{column}_there"]
    differ = joined[~((mine == there) | (mine.isna() & there.isna())).fillna(False).astype(bool)]
    if len(differ):
        row = differ.iloc[0]
        values = f"{row[column]} is not {what} in {source}, {row[f'{column}_there']}"
        yield f"{row.metric} of {row.model_x}, {row.model_y}: {column} {values}"


def _performance_table(run, artifact):
    table = read_table(run.path(artifact)).set_index("model")
    if [table.index.name, *table.columns] != PERFORMANCE:
        yield f"the columns are {', '.join([table.index.name, *table.columns])}"
        return
    sources = run.inputs(artifact)
    if len(sources) != len(table):
        yield f"has {len(table)} models, was made from {len(sources)}"
    for source in sources:
        if not run.is_intact(source):
            continue
        found = json.loads(run.path(source).read_text(encoding="utf-8"))
        for column in table.columns:
            if table.loc[found["model"], column] != found[column]:
                yield f"{column} of {found['model']} is not that of {source}"


def _correlation_table(run, artifact):
    table = read_table(run.path(artifact))
    if list(table.columns) != CORRELATION:
        yield f"the columns are {', '.join(table.columns)}"
        return
    if not table.correlation.dropna().between(-1 - ROUNDING, 1 + ROUNDING).all():
        yield "a correlation lies outside -1 ... 1"
    if (table.ci_low > table.ci_high).any():
        yield "an interval is the wrong way round"
    inputs = {kind_of(source): run.path(source) for source in run.inputs(artifact)}
    if not all(map(run.is_intact, run.inputs(artifact))):
        return
    alignment = read_table(inputs["alignment table"])
    bits = read_table(inputs["performance table"]).set_index("model").bits_per_byte
    for row in table.itertuples():
        mine = alignment[(alignment.dataset == row.dataset) & (alignment.metric == row.metric)]
        mine = mine[mine.k.isna() if pd.isna(row.k) else (mine.k == row.k).fillna(False).astype(bool)]
        mine = mine[
            (mine.modality_x == "language")
            & (mine.model_y == row.vision_model)
            & mine.model_x.isin(bits.index)
        ]
        if len(mine) != row.n:
            yield f"{row.metric}, {row.vision_model}: n is {row.n}, the tables have {len(mine)}"
        elif not pd.isna(row.correlation):
            measure = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[row.method]
            value = measure(1 - mine.model_x.map(bits), mine[row.of]).statistic
            if not math.isclose(value, row.correlation, abs_tol=1e-9):
                yield f"{row.metric}, {row.vision_model}: {row.method} is {row.correlation}, the tables give {value}"


def _figure(run, artifact):
    path = run.path(artifact)
    data = path.read_bytes()
    if path.suffix == ".pdf" and not (data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")):
        yield "is not a whole PDF file"
    if path.suffix == ".png":
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    if path.suffix == ".csv":
        yield from _drawn(run, artifact)


def _drawn(run, artifact):
    """The numbers that a figure shows are those of the tables."""
    table = read_table(run.path(artifact))
    if table.empty:
        yield "has no rows"
    if not {*PAIR, "score"} <= {*table.columns}:
        return
    by_layer = "layer_x" in table
    keys = PAIR + ["layer_x", "layer_y"] * by_layer
    for source in run.inputs(artifact):
        if kind_of(source) != ("alignment" if by_layer else "alignment table") or not run.is_intact(source):
            continue
        whole = _table_of(str(run.path(source)), run.path(source).stat().st_mtime_ns)
        joined = table.merge(whole, how="inner" if by_layer else "left", on=keys, suffixes=("", "_there"))
        for column in (c for c in table.columns if c in whole.columns and c not in keys):
            mine, there = joined[column], joined[f"{column}_there"]
            differ = ~((mine == there) | (mine.isna() & there.isna())).fillna(False).astype(bool)
            if differ.any():
                row = joined[differ].iloc[0]
                yield f"{column} of {row.model_x}, {row.model_y} is not that of {source}"


@lru_cache(maxsize=4)
def _table_of(path, _changed):
    return pd.read_parquet(path) if path.endswith(".parquet") else read_table(path)


def _report(run, artifact):
    text = run.path(artifact).read_text(encoding="utf-8")
    if artifact.endswith(".ipynb"):
        cells = json.loads(text)["cells"]
        failed = [o for cell in cells for o in cell.get("outputs", []) if o.get("output_type") == "error"]
        yield from (f"a cell failed: {output.get('ename')}" for output in failed)
    elif not text.rstrip().endswith("</html>"):
        yield "is not a whole page"


def _crate(run, artifact):
    if "ro-crate-metadata.json" not in zipfile.ZipFile(run.path(artifact)).namelist():
        yield "is not an RO-Crate"


CHECKS = {
    "package": _package,
    "dataset": _dataset,
    "corpus": _corpus,
    "model": _model,
    "features": _features,
    "neighbors": _neighbors,
    "alignment": _alignment,
    "calibration": _calibration,
    "performance": _performance,
    "alignment table": _alignment_table,
    "performance table": _performance_table,
    "correlation table": _correlation_table,
    "figure": _figure,
    "report": _report,
    "crate": _crate,
}
