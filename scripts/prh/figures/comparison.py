"""Published numbers with this run's beside them."""

import math

import pandas as pd

from prh.alignment.catalogue import metric_name, parse_metric
from prh.errors import InputError
from prh.performance.downstream import OF_CAPTIONS


def compare(published, alignment, downstream, sets, concatenated):
    """`published` with the columns `ours`, `difference` (ours minus published) and `note`.

    published: quantity, model_x, model_y, metric (METRIC@K), value, source. model_x, model_y: a model, or set:NAME for
    all of a set (`sets`: words by model, of the whole model table). alignment: as `best.across` gives it. Where this run
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
