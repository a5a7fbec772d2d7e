"""Runs of models of one modality, and of language models without bits per byte: what is planned, and what is calibrated."""

import json
from itertools import combinations

import pandas as pd
import pytest
import torch

from helpers.configuration import laid_over, load
from helpers.jobs import Job
from helpers.runs import plan
from prh.alignment.calibration import calibrate
from prh.features.layers import write_features

ACROSS = {"plot_alignment_vs_performance", "plot_alignment_by_metric", "plot_cknna_by_k"}
ACROSS |= {"plot_neighbours_vs_distances"}
ANY = {"measure_alignment", "calibrate_alignment", "tabulate_alignment", "plot_alignment_matrix", "make_page"}
ANY |= {
    "plot_layers_described",
    "plot_metric_agreement",
    "plot_raw_vs_calibrated",
    "plot_layer_alignment",
    "report",
}
DENSITY = "plot_alignment_by_caption_density"
NO_BITS = "bits per byte, `performance.likelihoods`, alignment over performance"
# Models; rules that are planned and rules that are not; what is said of what is left out.
RUNS = {
    "vision only": (
        ["mobilenet-v2", "efficientnet-lite0-random"],
        ANY,
        ACROSS | {"score_language_model", "fetch_corpus", DENSITY},
        f"Left out, since the run has no language model: {NO_BITS}, `caption_density`.",
    ),
    "language only": (
        ["smollm2-135m", "minilm-l6"],
        ANY | {"score_language_model"},
        ACROSS | {DENSITY},
        "Left out, since the run has no vision model: alignment over performance, `caption_density`.",
    ),
    "no causal model": (
        ["minilm-l6", "mobilenet-v2"],
        ANY | {"plot_cknna_by_k", "plot_neighbours_vs_distances", DENSITY},
        {"score_language_model", "plot_alignment_vs_performance", "plot_alignment_by_metric"},
        f"Left out, since the run has no causal language model: {NO_BITS}.",
    ),
    "one of each": (["smollm2-135m", "mobilenet-v2"], ANY | ACROSS | {"score_language_model", DENSITY}, set(), ""),
}  # fmt: skip


def changes(models):
    metrics = {"metrics": ["mutual_knn@10", "cka", "cknna@10"]}
    return {
        "models": models,
        "alignment": metrics,
        "calibration": metrics,
        "figures": {"layer_pairs": [models]},
        "transfer": None,
        "colour_geometry": None,
    }


@pytest.mark.parametrize("run", RUNS)
def test_plans_of_any_modalities(run, tmp_path, config):
    models, there, absent, said = RUNS[run]
    (tmp_path / "mine.yaml").write_text(json.dumps(changes(models)))
    jobs, _, _ = plan(tmp_path / "mine.yaml")
    rules = {job.rule for job in jobs.values()}
    assert there <= rules, there - rules
    assert not absent & rules, absent & rules
    assert load(laid_over(config, changes(models))).lacking() == said


def test_what_a_run_of_one_modality_asks_for_in_vain_is_said(config):
    more = {"captions": True, "tasks": ["arc_easy@0"]}
    more = {"performance": more, "figures": {"downstream_vision": "mobilenet-v2"}, "caption_density": None}
    said = load(
        laid_over(laid_over(config, changes(["mobilenet-v2", "efficientnet-lite0-random"])), more)
    ).lacking()
    assert said == (
        "Left out, since the run has no language model: bits per byte, `performance.captions`, `performance.tasks`, "
        "`performance.likelihoods`, alignment over performance, `figures.downstream_vision`."
    )


@pytest.mark.parametrize(("metric", "k"), [("cka", None), ("cknna", 5), ("mutual_knn", 5)])
def test_all_pairs_of_one_modality_are_calibrated_as_each_by_itself(metric, k, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, layers, files = ["a", "b", "c"], {}, []
    (tmp_path / "n").mkdir()
    shared = torch.randn(30, 3, generator=torch.Generator().manual_seed(9))
    for i, name in enumerate(names):
        own = torch.randn(30, 4, generator=torch.Generator().manual_seed(i))
        layers[name] = [torch.cat([own, shared * weight], dim=1) for weight in range(i + 1)]
        write_features(
            f"{name}.safetensors", {f"l{j}": v for j, v in enumerate(layers[name])}, {"model": name}
        )
        files.append(f"{name}.safetensors")
        if metric == "mutual_knn":
            Job(
                "index_neighbors", {"neighbors": f"n/{name}.safetensors"}, {"features": files[-1]},
                clamp="exact", concatenate=False, device="cpu", k_max=5,
            )()  # fmt: skip
            files[-1] = f"n/{name}.safetensors"
    pairs = [list(pair) for pair in combinations(names, 2)]
    Job(
        "calibrate_alignment", {"scores": "null.parquet"}, {"models": files}, {"dataset": "d"},
        models=names, pairs=pairs, metric=metric, k=[k], clamp="exact", concatenate=False, device="cpu",
        permutations=39, alpha=0.05, seed=3, resamples=20, confidence=0.95,
    )()  # fmt: skip
    found = pd.read_parquet("null.parquet")
    assert [[row.model_x, row.model_y] for row in found.itertuples()] == pairs
    for row in found.itertuples():
        name = f"{metric}@{k}" if k else metric
        alone = calibrate(layers[row.model_x], layers[row.model_y], name, permutations=39, seed=3)
        assert row.null_mean == pytest.approx(alone.null_mean, abs=1e-6)
        assert row.tau == pytest.approx(alone.tau, abs=1e-6)
        assert row.p_value == pytest.approx(alone.p_value)
