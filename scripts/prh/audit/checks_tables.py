"""Checks of tables, figures, reports and crates: each follows from what it was made from. See `artifacts`."""

import io
import json
import math
import zipfile
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
from PIL import Image
from scipy import stats

from prh.alignment.best import across, best_layer_pairs, named
from prh.audit import checks_transfer, over_n
from prh.audit.checks_measures import ROUNDING, scores_in_bounds
from prh.audit.definitions import step_up
from prh.figures.comparison import compare
from prh.performance.downstream import MEASURED, OF_CAPTIONS
from prh.sources.caption_levels import items_of, read_levels
from prh.tables import FEWEST, MEAN, NULLS, PAIR, read_table


def alignment_table(run, artifact):
    """Each model pair's row is the best of its layer pairs, with what its calibration says."""
    table = read_table(run.path(artifact))
    yield from scores_in_bounds(table)
    for column in ("p_value", "q_value"):
        if not table[column].dropna().between(0, 1).all():
            yield f"a {column} lies outside 0 ... 1"
    again = ((table.score - table.null_mean) / table.score).where(table.score > 0)
    if not np.allclose(table.perceptual_score, again, equal_nan=True):
        yield "a perceptual score is not (score - null mean) / score"
    if (table.q_value < table.p_value - ROUNDING).any():
        yield "a q-value is below its p-value"
    for _, group in table.dropna(subset="p_value").groupby(["dataset", "metric", "k"], dropna=False):
        if not np.allclose(group.q_value, step_up(group.p_value)):
            yield f"q-values of {group.metric.iloc[0]} are not the Benjamini-Hochberg ones of its p-values"
    sources = [source for source in run.inputs(artifact) if run.is_intact(source)]
    tiles = [source for source in sources if run.kind(source) == "alignment"]
    for source in tiles:
        yield from _best(table, pd.read_parquet(run.path(source)), source)
    if len(tiles) == sum(run.kind(source) == "alignment" for source in run.inputs(artifact)):
        rows = sum(len(best_layer_pairs(pd.read_parquet(run.path(source)))) for source in tiles)
        if rows != len(table):
            yield f"has {len(table)} rows, its tiles have {rows} model pairs"
    for source in sources:
        if run.kind(source) == "calibration":
            found = pd.read_parquet(run.path(source))
            for column in NULLS[5:]:
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


def licences_table(run, artifact):
    """What the configuration's tables said when it was made."""
    if read_table(run.path(artifact)).to_numpy().tolist() != run.params(artifact)["licences"]:
        yield "is not what the tables of models, data sets, texts and packages said"


def performance_table(run, artifact):
    """A row per score, with what the score says; published ones only of models that were not run, and marked."""
    table = read_table(run.path(artifact)).set_index("model")
    published = table[table.source.astype(str).str.startswith("published: ")]
    other = sorted({*published.index} - {*run.params(artifact).get("unscored", [])})
    if other:
        yield f"holds a published value of {other[0]}, which was run, or is not of this run"
    if not published.bits_per_byte.between(0, float("inf"), inclusive="neither").all():
        yield "a published value is not above 0"
    table, sources = table.drop(published.index), run.inputs(artifact)
    if len(sources) != len(table):
        yield f"has {len(table)} models, was made from {len(sources)}"
    for source in sources:
        if not run.is_intact(source):
            continue
        found = json.loads(run.path(source).read_text(encoding="utf-8"))
        for column in table.columns.drop("source"):
            if table.loc[found["model"], column] != found[column]:
                yield f"{column} of {found['model']} is not that of {source}"


def correlation_table(run, artifact):
    """Correlations in -1 ... 1 that the two tables give."""
    table = read_table(run.path(artifact))
    if not table.correlation.dropna().between(-1 - ROUNDING, 1 + ROUNDING).all():
        yield "a correlation lies outside -1 ... 1"
    if (table.ci_low > table.ci_high).any():
        yield "an interval is the wrong way round"
    inputs = {run.kind(source): run.path(source) for source in run.inputs(artifact)}
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


def downstream_table(run, artifact):
    """Every measured value once, as its source has it; published ones only of what was not measured."""
    table = read_table(run.path(artifact))
    twice = table[table.duplicated(["model", "measure"])]
    if len(twice):
        yield f"{twice.measure.iloc[0]} of {twice.model.iloc[0]} stands twice"
    unknown = sorted({*table.model} - {*run.params(artifact)["models"]})
    if unknown:
        yield f"holds {unknown[0]}, which is not of this run"
    values = table[table.source == MEASURED].set_index(["model", "measure"]).value
    sources = [s for s in run.inputs(artifact) if run.kind(s) in ("captions", "downstream")]
    expected = {}
    for source in filter(run.is_intact, sources):
        found = json.loads(run.path(source).read_text(encoding="utf-8"))
        for measure, value in _measured(found):
            expected[found["model"], measure] = value
            if values.get((found["model"], measure)) != value:
                yield f"{measure} of {found['model']} is {values.get((found['model'], measure))}, {value} in {source}"
    if all(map(run.is_intact, sources)) and set(values.index) != set(expected):
        more = sorted(set(values.index) - set(expected)) or [("", "")]
        yield f"{more[0][1]} of {more[0][0]} was not measured by what it was made from"


def _measured(found):
    """(measure, value) of a file of `score_captions` or `evaluate_downstream`."""
    if "scores" in found:
        return [(score["task"], score["value"]) for score in found["scores"]]
    keys = ("bits_per_byte", "pooled_bits_per_byte", "longest_tokens")
    return list(zip(OF_CAPTIONS, map(found.get, keys), strict=True))


def figure(run, artifact):
    """A whole PDF, a PNG that can be read, numbers that are those of the tables."""
    path = run.path(artifact)
    data = path.read_bytes()
    if path.suffix == ".pdf" and not (data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")):
        yield "is not a whole PDF file"
    if path.suffix == ".png":
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    if path.suffix == ".csv":
        if read_table(path).empty:
            yield "has no rows"
        yield from NUMBERS[run.params(artifact).get("numbers", "drawn")](run, artifact)


# The tables that figures draw from: what a row of a figure is told by, there and in the table.
DRAWN_FROM = {
    "alignment table": {column: column for column in PAIR},
    "alignment": {column: column for column in [*PAIR, "layer_x", "layer_y"]},
    "performance table": {"model_x": "model"},
    "downstream table": {"model_x": "model", "measure": "measure"},
}


def _drawn(run, artifact):
    """The numbers that a figure shows are those of the tables."""
    table = read_table(run.path(artifact))
    sources = [source for source in run.inputs(artifact) if run.kind(source) in DRAWN_FROM]
    for source in filter(run.is_intact, sources):
        keys = DRAWN_FROM[run.kind(source)]
        if not {*keys} <= {*table.columns}:
            continue
        whole = _table_of(str(run.path(source)), run.path(source).stat().st_mtime_ns)
        here, there = list(keys), list(keys.values())
        parts = run.kind(source) == "alignment"  # of whose tiles each holds some of the figure's pairs
        joined = table.merge(
            whole,
            how="inner" if parts else "left",
            left_on=here,
            right_on=there,
            suffixes=("", "_there"),
        )
        for column in (c for c in table.columns if c in whole.columns and c not in {*here, *there}):
            mine, other = joined[column], joined[f"{column}_there"]
            differ = ~((mine == other) | (mine.isna() & other.isna())).fillna(False).astype(bool)
            if differ.any():
                row = joined[differ].iloc[0]
                yield f"{column} of {row.model_x}, {row.model_y} is not that of {source}"


def _alignment_of(run, artifact, choose=named):
    """The rows of a figure's data set in the alignment table that it draws from; none if that is not as it was made."""
    for source in run.inputs(artifact):
        if run.kind(source) == "alignment table" and run.is_intact(source):
            return choose(read_table(run.path(source)), run.params(artifact)["dataset"])
    return None


def _agreement(run, artifact):
    """Spearman between metrics over all model pairs."""
    alignment = _alignment_of(run, artifact)
    if alignment is None:
        return
    table = read_table(run.path(artifact)).set_index("metric")
    scores = alignment.pivot(index=["model_x", "model_y"], columns="name", values="score")
    for x, y in combinations_with_replacement(table.columns, 2):
        again = stats.spearmanr(scores[x], scores[y]).statistic
        if not np.allclose([table.loc[x, y], table.loc[y, x]], again, atol=1e-9, equal_nan=True):
            yield f"Spearman of {x} and {y} is {table.loc[x, y]}, {table.loc[y, x]}; the tables give {again}"


def _sweep(run, artifact):
    """Means of CKNNA over pretrained vision models, and the same standardised over language models."""
    alignment = _alignment_of(run, artifact, across)
    if alignment is None:
        return
    facts = run.params(artifact)["models"]
    trained = alignment[[facts[model]["init"] != "random" for model in alignment.model_y]]
    for (metric, k), group in read_table(run.path(artifact)).groupby(["metric", "k"], sort=False):
        mine = trained[(trained.metric == metric) & (trained.k == k)]
        means = np.array([mine[mine.model_x == model].score.mean() for model in group.model_x])
        spread = means.std(ddof=1) if len(means) >= 3 else math.nan
        for column, again in (("score", means), ("standardised", (means - means[0]) / spread)):
            if not np.allclose(group[column], again, atol=1e-9, equal_nan=True):
                yield f"{column} of {metric}, k = {k} is not what {len(mine)} model pairs give"


def _comparison(run, artifact):
    """This run's numbers beside the published ones."""
    table, params = read_table(run.path(artifact)), run.params(artifact)
    alignment = _alignment_of(run, artifact, across)
    sources = {run.kind(source): source for source in run.inputs(artifact)}
    tables = [sources[f"{name} table"] for name in ("performance", "downstream")]
    if alignment is None or not all(map(run.is_intact, tables)):
        return
    tables = [read_table(run.path(source)) for source in tables]
    published = table.drop(columns=["ours", "difference", "note"])
    again = compare(published, alignment, *tables, params["sets"], params["concatenate"])
    for column in ("ours", "difference"):
        wrong = table[~np.isclose(table[column], again[column], rtol=1e-9, equal_nan=True)]
        if len(wrong):
            row = wrong.iloc[0]
            yield f"{column} of {row.quantity}, {row.model_x} is {row[column]}, the tables give {again[column][row.name]}"


def _claim(run, artifact):
    """Correlations that the points give; a source of each."""
    table = read_table(run.path(artifact))
    yield from _sources(table, ["panel", "model"])
    for panel, group in table.groupby("panel", sort=False):
        points = group.dropna(subset=["x", "y"])
        again = stats.pearsonr(points.x, points.y).statistic if len(points) >= FEWEST else math.nan
        if not np.allclose(group.pearson, again, atol=1e-9, equal_nan=True):
            yield f"Pearson of {panel} is {group.pearson.iloc[0]}, its points give {again}"
        if (group.ci_low > group.ci_high).any():
            yield f"the interval of {panel} is the wrong way round"


def _means(run, artifact):
    """Published means, of two decimals, that can be: none above its score, chance of mutual k-NN not below k / (n - 1)."""
    table, pairs = read_table(run.path(artifact)), 1024
    yield from _sources(table, ["quantity", "metric"])
    if table.duplicated(["quantity", "metric", "k"]).any():
        yield "a mean stands twice"
    wide = table.drop_duplicates(["quantity", "metric", "k"])
    for (metric, k), group in wide.groupby(["metric", "k"], dropna=False, sort=False):
        value = group.set_index("quantity").value
        above = value[value > value.get("mean score", math.nan) + 0.01]
        if len(above):
            yield f"{above.index[0]} of {metric}, k = {k}, {above.iloc[0]}, is above the score, {value['mean score']}"
        if metric == "mutual_knn" and value.get("mean null", math.nan) < k / (pairs - 1) - 0.005:
            yield f"mean null of {metric}, k = {k} is below chance"


def density_table(run, artifact):
    """Each language model at each level with each vision model, and their mean; words are those of the levels."""
    table, params = read_table(run.path(artifact)), run.params(artifact)
    if not table.score.between(0, 1).all() or (table.ci_low > table.ci_high).any():
        yield "a score lies outside 0 ... 1, or an interval is the wrong way round"
    for (model, level), group in table.groupby(["language", "level"], sort=False):
        if sorted(group.vision) != sorted([*params["vision"], MEAN]):
            yield f"{model} at `{level}` is not with each vision model once, and their mean"
            continue
        scores = group.set_index("vision").score
        if not math.isclose(scores[MEAN], scores[params["trained"]].mean(), abs_tol=1e-9):
            yield f"the mean of {model} at `{level}` is {scores[MEAN]}, its scores give {scores[params['trained']].mean()}"
    for source in run.inputs(artifact):
        if run.kind(source) == "caption levels" and run.is_intact(source):
            levels = read_levels(run.path(source))
            words, n = levels.groupby("level").words.mean(), len(items_of(levels))
            if not np.allclose(table.words, table.level.map(words)):
                yield f"words are not those of {source}"
            if not np.allclose(table.chance, params["k"] / (n - 1)):
                yield f"chance is not k / (n - 1) with n = {n}"


def colour_table(run, artifact):
    """Correlations and shares that can be; each R2 is that of the places that were made with it."""
    table = read_table(run.path(artifact))
    if not table.rho.between(-1, 1).all() or (table.r2.dropna() > 1).any():
        yield "a correlation lies outside -1 ... 1, or an R2 above 1"
    for name in ("rho", "r2"):
        if (
            not table[f"{name}_p"].dropna().between(0, 1).all()
            or (table[f"{name}_low"] > table[f"{name}_high"]).any()
        ):
            yield f"a p-value of {name} lies outside 0 ... 1, or an interval is the wrong way round"
    path = run.path("results/colour/places.csv")
    if not path.is_file():  # a crate has the table only
        return
    places = read_table(path)
    for (space, of), mine in places.groupby(["space", "of"], sort=False):
        true, found = (
            mine[columns].to_numpy() for columns in (["true_l", "true_a", "true_b"], ["l", "a", "b"])
        )
        share = 1 - ((true - found) ** 2).sum() / ((true - true.mean(axis=0)) ** 2).sum()
        row = table[(table.space == space) & (table.of == of)]
        if len(row) != 1 or not math.isclose(row.r2.iloc[0], share, abs_tol=1e-6):
            yield f"R2 of {space}, {of} is not {share:.4f}, which its places give"


def _sources(table, naming):
    """Published numbers without a source."""
    for row in table[table.source.isna()].to_dict("records"):
        yield f"no source of {', '.join(str(row[column]) for column in naming)}"


# How a figure's numbers follow from its tables, by the word that its row in FIGURES has for it: they stand there, or ...
NUMBERS = {
    "drawn": _drawn,
    "agreement": _agreement,
    "sweep": _sweep,
    "comparison": _comparison,
    "claim": _claim,
    "means": _means,
    "over n": over_n.over_n_figure,
    "convergence": checks_transfer.convergence_figure,
    "map": checks_transfer.map_figure,
}


@lru_cache(maxsize=4)
def _table_of(path, _changed):
    return pd.read_parquet(path) if path.endswith(".parquet") else read_table(path)


def report(run, artifact):
    """A whole page; a notebook in which no cell failed."""
    text = run.path(artifact).read_text(encoding="utf-8")
    if artifact.endswith(".ipynb"):
        cells = json.loads(text)["cells"]
        failed = [o for cell in cells for o in cell.get("outputs", []) if o.get("output_type") == "error"]
        yield from (f"a cell failed: {output.get('ename')}" for output in failed)
    elif not text.rstrip().endswith("</html>"):
        yield "is not a whole page"


def crate(run, artifact):
    """An RO-Crate, by its metadata's name."""
    if "ro-crate-metadata.json" not in zipfile.ZipFile(run.path(artifact)).namelist():
        yield "is not an RO-Crate"
