"""Published numbers by themselves, and with this run's beside them."""

import math

import pandas as pd

from prh.alignment.catalogue import metric_name, parse_metric
from prh.errors import InputError
from prh.performance.correlation import correlate
from prh.performance.downstream import CAPTIONS, OF_CAPTIONS

# The vision model and metric of which most is published.
VISION, METRIC = "vit_giant_patch14_dinov2.lvd142m", "mutual_knn@10"
LANGUAGE = "1 - bits per byte (captions)"
ALIGNMENT = "alignment with DINOv2 giant"


def claim(numbers, benchmarks, resamples, confidence, seed):
    """Published alignment with published performance: a row per panel and language model.

    numbers, benchmarks: tables of config/published/. Columns: panel, model, x_label, x, y, source, and of the panel Pearson's r
    with its percentile bootstrap interval over language models (pearson, ci_low, ci_high).
    """
    score = numbers[(numbers.quantity == "score") & (numbers.model_y == VISION) & (numbers.metric == METRIC)]
    score = score.set_index("model_x")
    bits = numbers[numbers.quantity == CAPTIONS].set_index("model_x")
    parts = []
    for panel in ["figure 3", *dict.fromkeys(benchmarks.measure)]:
        mine = benchmarks[benchmarks.measure == panel].set_index("model") if panel != "figure 3" else bits
        models = [model for model in score.index if model in mine.index]
        known, other = score.value[models].to_numpy(), mine.value[models].to_numpy()
        x, y = (1 - other, known) if panel == "figure 3" else (known, other)
        found = correlate(x, y, "pearson", resamples, confidence, seed)
        sources = [f"{score.source[m]}; {mine.source[m]}" for m in models]
        label = LANGUAGE if panel == "figure 3" else ALIGNMENT
        part = {"panel": panel, "model": models, "x_label": label, "x": x, "y": y, "source": sources}
        parts.append(
            pd.DataFrame(part | {"pearson": found.value, "ci_low": found.ci_low, "ci_high": found.ci_high})
        )
    return pd.concat(parts, ignore_index=True)


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
