"""Published numbers with their sources, and this run's numbers beside them."""

import math

import pandas as pd

from prh.catalogue import metric_name, parse_metric
from prh.errors import InputError

DOWNSTREAM = ["model", "measure", "shots", "value", "stderr", "documents", "version", "source"]
# What the tables of config/published/ must have: benchmark scores, and numbers to compare with.
BENCHMARKS = ["model", "measure", "shots", "value", "source"]
NUMBERS = ["quantity", "model_x", "model_y", "metric", "value", "source"]
# What `score_captions` says of a model.
OF_A_MODEL = ["model", "bits_per_byte", "pooled_bits_per_byte", "longest_tokens", "captions"]
MEASURED = "this run"
# Measures of the downstream table that are no benchmarks.
CAPTIONS, POOLED, LONGEST = (
    "bits per byte (captions)",
    "bits per byte (captions, pooled)",
    "longest caption (tokens)",
)
OF_CAPTIONS = (CAPTIONS, POOLED, LONGEST)


def read_published(path, columns):
    """A table of `config/published/`: tab-separated, # opens a comment.

    Raises `InputError` for a missing column, a row without a source, a value that is no number.
    """
    try:
        table = pd.read_csv(path, sep="\t", comment="#")
        missing = [column for column in columns if column not in table]
        if missing:
            raise ValueError(f"column `{missing[0]}` is missing")
        table = table.astype({"value": float})
        table = table.astype({"shots": "Int64"}) if "shots" in table else table
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a table of published numbers ({error}); correct it") from None
    for number, source in enumerate(table.source, start=1):
        if not isinstance(source, str) or not source.strip():
            raise InputError(f"{path}, row {number}: no source; say where the number comes from")
    return table


def read_benchmarks(path):
    """A table of published benchmark scores: model, measure, shots, value in 0 ... 1, source.

    Raises `InputError` for a row without its shots or source, a value outside 0 ... 1, or a second value of one model and
    measure: which of several holds is for the table to say, not for the figure.
    """
    table = read_published(path, BENCHMARKS)
    wrong = {
        "no number of shots; say how many the source states": table.shots.isna(),
        "value outside 0 ... 1; enter percentages as fractions": ~table.value.between(0, 1),
        "second value of this model and measure; keep one": table.duplicated(["model", "measure"]),
    }
    for what, rows in wrong.items():
        if rows.any():
            row = table[rows].iloc[0]
            raise InputError(f"{path}, row {row.name + 1} (`{row.model}`, `{row.measure}`): {what}")
    return table


def downstream_table(captions, measured, published, models):
    """One row per model and measure; `published` fills in what was not measured, and says so in `source`.

    captions: mappings as `score_captions` writes them; measured: as `evaluate_downstream` does; published: a table as
    `read_benchmarks` gives it, or None.
    """
    rows = []
    for found in captions:
        values = (found["bits_per_byte"], found["pooled_bits_per_byte"], found["longest_tokens"])
        for measure, value in zip(OF_CAPTIONS, values, strict=True):
            row = {"measure": measure, "value": value, "documents": found["captions"]}
            rows.append({"model": found["model"], "source": MEASURED, **row})
    for found in measured:
        for score in found["scores"]:
            row = {"measure": score["task"], "value": score["value"]}
            row |= {key: score[key] for key in ("shots", "stderr", "documents")}
            version = f"{score['measure']}, task version {score['task_version']}, lm-eval {score['lm_eval']}"
            rows.append({"model": found["model"], "source": MEASURED, "version": version, **row})
    done = {(row["model"], row["measure"]) for row in rows}
    for row in published.to_dict("records") if published is not None else ():
        if row["model"] in models and (row["model"], row["measure"]) not in done:
            rows.append({**row, "source": f"published: {row['source']}"})
    table = pd.DataFrame(rows, columns=DOWNSTREAM)
    return table.astype({"shots": "Int64", "documents": "Int64"})


def compare(published, alignment, downstream, sets, concatenated):
    """`published` with the columns `ours`, `difference` (ours minus published) and `note`.

    published: quantity, model_x, model_y, metric (METRIC@K), value, source. model_x, model_y: a model, or set:NAME for
    all of a set (`sets`: words by model, of the whole model table). alignment: as `tables.across` gives it. Where this run
    lacks the models or the metric, `ours` is missing and the note says why; it also says where an option was another one.
    """
    rows = []
    for row in published.itertuples(index=False):
        ours, note = _ours(row, alignment, downstream, sets)
        if row.quantity == "score (concatenated)" and not concatenated:
            note = "published with the concatenation of all layers, which this run leaves out"
        rows.append({**row._asdict(), "ours": ours, "difference": ours - row.value, "note": note})
    return pd.DataFrame(rows)


def _ours(row, alignment, downstream, sets):
    """This run's value of a published row, and why there is none."""
    if row.quantity in OF_CAPTIONS:
        mine = downstream[(downstream.model == row.model_x) & (downstream.measure == row.quantity)]
        return (float(mine.value.iloc[0]), "") if len(mine) else (math.nan, "not measured in this run")
    wanted_x, wanted_y = (_members(name, sets) for name in (row.model_x, row.model_y))
    name = metric_name(*parse_metric(row.metric))
    mine = alignment[
        (alignment.name == name) & alignment.model_x.isin(wanted_x) & alignment.model_y.isin(wanted_y)
    ]
    if not wanted_x or not wanted_y or len(mine) != len(wanted_x) * len(wanted_y):
        return math.nan, "not all of these models or not this metric in this run"
    values = {
        "score": mine.score.mean(),
        "score (concatenated)": mine.score.mean(),
        "mean score": mine.score.mean(),
        "highest score": mine.score.max(),
        "language layer": float(mine.layer_x.iloc[0]),
        "vision layer": float(mine.layer_y.iloc[0]),
        "mean null": mine.chance.fillna(mine.null_mean).mean(),
    }
    if row.quantity not in values:
        raise InputError(f"published table: unknown quantity `{row.quantity}`; known: {', '.join(values)}")
    ours = float(values[row.quantity])
    return ours, "" if ours == ours else "not calibrated in this run"


def _members(name, sets):
    """All models of set:NAME, whether in this run or not, or the model itself."""
    if name.startswith("set:"):
        return [model for model, words in sets.items() if name.removeprefix("set:") in words]
    return [name]
