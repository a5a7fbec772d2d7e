import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prh import tables
from prh.catalogue import metric_name, parse_metric
from prh.errors import InputError

LAYERS = pd.DataFrame(
    {
        "dataset": "d",
        "metric": ["mutual_knn"] * 6 + ["cka"] * 2,
        "k": pd.array([10] * 6 + [None] * 2, dtype="Int64"),
        "model_x": ["a"] * 4 + ["v"] * 2 + ["a"] * 2,
        "model_y": ["v"] * 4 + ["w"] * 2 + ["v"] * 2,
        "layer_x": [0, 0, 1, 1, 0, 1, 0, 1],
        "layer_y": [0, 1, 0, 1, 0, 0, 0, 0],
        "score": [0.1, 0.4, 0.4, 0.2, 0.6, 0.5, 0.3, 0.7],
        "n": 101,
    }
)
MODALITY = {"a": "language", "v": "vision", "w": "vision"}


def test_the_best_layer_pair_and_the_first_of_equals():
    table = tables.alignment_table(LAYERS, None, MODALITY)
    assert list(table.columns) == tables.ALIGNMENT
    assert table[["model_x", "model_y", "layer_x", "layer_y", "score"]].values.tolist() == [
        ["a", "v", 0, 1, 0.4],
        ["v", "w", 0, 0, 0.6],
        ["a", "v", 1, 0, 0.7],
    ]


def test_chance_is_k_over_n_minus_one_for_mutual_knn_only():
    assert tables.alignment_table(LAYERS, None, MODALITY).chance.tolist()[:2] == [0.1, 0.1]
    assert math.isnan(tables.alignment_table(LAYERS, None, MODALITY).chance[2])


def test_calibration_is_joined_and_q_taken_over_all_pairs_of_a_metric():
    pairs = [("a", "v"), ("b", "v"), ("c", "v")]
    layers = pd.concat([LAYERS.iloc[:1].assign(model_x=x, model_y=y) for x, y in pairs], ignore_index=True)
    p_values = [0.01, 0.04, 0.5]
    calibrated = layers[tables.PAIR].assign(p_value=p_values, tau=0.2, null_mean=0.1, calibrated_score=0.0)
    calibrated = calibrated.assign(ci_low=0.0, ci_high=1.0)
    table = tables.alignment_table(layers, calibrated, MODALITY | {"b": "language", "c": "language"})
    assert table.p_value.tolist() == p_values
    assert table.q_value.tolist() == pytest.approx(stats.false_discovery_control(p_values))


def test_round_trip(tmp_path):
    table = tables.alignment_table(LAYERS, None, MODALITY)
    tables.write_table(table, tmp_path / "t.csv")
    read = tables.read_table(tmp_path / "t.csv")
    np.testing.assert_array_equal(read.score, table.score)
    assert read.k.tolist()[:2] == [10, 10]
    assert read.k.isna().tolist() == [False, False, True]


def test_a_column_too_many_is_refused(tmp_path):
    path = tmp_path / "alignment.csv"
    tables.write_table(tables.alignment_table(LAYERS, None, MODALITY).assign(mine=1), path)
    with pytest.raises(
        InputError, match=r"alignment.csv: cannot be read \(its columns are .*, mine, not dataset, "
    ):
        tables.read_table(path)


def test_names_of_metrics():
    assert tables.named(LAYERS, "d").name.tolist() == ["mutual_knn@10"] * 6 + ["cka"] * 2
    for name in ("mutual_knn@10", "cka"):
        assert metric_name(*parse_metric(name)) == name


def test_across_keeps_language_vision_rows_and_adds_performance():
    table = tables.alignment_table(LAYERS, None, MODALITY)
    found = tables.across(table, "d", pd.DataFrame({"model": ["a"], "bits_per_byte": [0.9]}))
    assert found.model_y.tolist() == ["v", "v"]
    assert found.bits_per_byte.tolist() == [0.9, 0.9]
