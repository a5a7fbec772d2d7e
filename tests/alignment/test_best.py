"""The best layer pair of every model pair, as a table."""

import math

import pandas as pd
import pytest
from scipy import stats

from helpers.scores import LAYERS, MODALITY
from prh.alignment.best import across, alignment_table, named
from prh.alignment.catalogue import metric_name, parse_metric
from prh.tables import ALIGNMENT, PAIR


def test_the_best_layer_pair_and_the_first_of_equals():
    table = alignment_table(LAYERS, None, MODALITY)
    assert list(table.columns) == ALIGNMENT
    assert table[["model_x", "model_y", "layer_x", "layer_y", "score"]].values.tolist() == [
        ["a", "v", 0, 1, 0.4],
        ["v", "w", 0, 0, 0.6],
        ["a", "v", 1, 0, 0.7],
    ]


def test_chance_is_k_over_n_minus_one_for_mutual_knn_only():
    assert alignment_table(LAYERS, None, MODALITY).chance.tolist()[:2] == [0.1, 0.1]
    assert math.isnan(alignment_table(LAYERS, None, MODALITY).chance[2])


def test_calibration_is_joined_and_q_taken_over_all_pairs_of_a_metric():
    pairs = [("a", "v"), ("b", "v"), ("c", "v")]
    layers = pd.concat([LAYERS.iloc[:1].assign(model_x=x, model_y=y) for x, y in pairs], ignore_index=True)
    p_values = [0.01, 0.04, 0.5]
    calibrated = layers[PAIR].assign(p_value=p_values, tau=0.2, null_mean=0.1, calibrated_score=0.0)
    calibrated = calibrated.assign(ci_low=0.0, ci_high=1.0)
    table = alignment_table(layers, calibrated, MODALITY | {"b": "language", "c": "language"})
    assert table.p_value.tolist() == p_values
    assert table.q_value.tolist() == pytest.approx(stats.false_discovery_control(p_values))


def test_names_of_metrics():
    assert named(LAYERS, "d").name.tolist() == ["mutual_knn@10"] * 6 + ["cka"] * 2
    for name in ("mutual_knn@10", "cka"):
        assert metric_name(*parse_metric(name)) == name


def test_across_keeps_language_vision_rows_and_adds_performance():
    table = alignment_table(LAYERS, None, MODALITY)
    found = across(table, "d", pd.DataFrame({"model": ["a"], "bits_per_byte": [0.9]}))
    assert found.model_y.tolist() == ["v", "v"]
    assert found.bits_per_byte.tolist() == [0.9, 0.9]
