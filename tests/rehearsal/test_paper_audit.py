"""The audit of what only the paper's scale has: models and data of the hub, captions' bits, benchmarks, figures beside them.

The scripts themselves make the artifacts, from tiny stand-ins. What is not there stands in: scores as lm-eval gives them,
and features of a vision model that nobody made.
"""

import contextlib
import json
import math
import os
import runpy
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import standins
import torch
from safetensors.torch import load_file, save_file

from helpers.document import OF_THE_PAPER, listed, run_examples
from helpers.forgery import csv, edited, forge, manifest
from helpers.project import ROOT
from prh.audit import audit
from prh.features.adapters import PIXELS
from prh.features.layers import read_features, write_features
from prh.provenance import record, record_path, write_json, write_manifest
from prh.sources import hub_models, hub_pairs

PAIRS, LIMIT, COMMIT = 24, 8, "a" * 40
DATA, VIT = "results/data/wit", "results/features/wit/vit.safetensors"
LLAMA, BLOOMZ = "llama-7b", "bloomz-560m"
REPOSITORIES = {BLOOMZ: "bigscience/bloomz-560m", LLAMA: "huggyllama/llama-7b"}
SETTINGS = {
    BLOOMZ: {
        "batch_tokens": 64,
        "mode": "reference",
        "pooling": "last",
        "prompt": "This is {caption}",
        "long_captions": "error",
    },
    LLAMA: {
        "batch_tokens": 64,
        "mode": "robust",
        "pooling": "mean",
        "prompt": None,
        "long_captions": "error",
    },
}
WEIGHTS = {"dtype": "bfloat16"}
TASKS = {"hellaswag": (10, "acc_norm,none", 0.25), "gsm8k": (5, "exact_match,strict-match", 0.5)}
DATASET = {
    "name": "wit",
    "source": "hub",
    "repo": "minhuh/prh",
    "revision": "wit_1024",
    "mirror": "some/mirror@main",
    "size": PAIRS,
}
TEXT = "results/corpora/openwebtext.txt"
DISTANCES = "results/tables/likelihood_distances.csv"
TOWERS, GAP = "results/features/wit/clip.safetensors", "results/tables/modality_gap.csv"
SUMMARIES, LEVELS = (f"results/levels/wit/{name}.parquet" for name in ("summaries", "captions"))
TABLES = [f"results/tables/{name}.csv" for name in ("alignment", "downstream", "performance")]
FIGURES = {name: f"figures/{name}" for name in ("alignment_vs_downstream", "reproduced_vs_published")}
PUBLISHED = "quantity\tmodel_x\tmodel_y\tmetric\tvalue\tsource\n"
PUBLISHED += (
    f"score\t{LLAMA}\tvit\tmutual_knn@5\t0.1\tsomeone\nmean score\tset:all\tvit\tmutual_knn@5\t0.1\tsomeone\n"
)
PUBLISHED += f"bits per byte (captions)\t{LLAMA}\t\t\t2.0\tsomeone\n"
PUBLISHED += f"1 - bits per byte (OpenWebText)\t{LLAMA}\t\t\t0.5\tsomeone\n"


class Named(dict):
    """Files or parameters of a rule as its script sees them: by name, or one after the other."""

    __getattr__ = dict.__getitem__

    def __iter__(self):
        for value in self.values():
            yield from value if isinstance(value, list) else [value]


def run(script, made, given=(), wildcards=(), **params):
    """Run a rule's script: it leaves its outputs and their record."""
    given, made, params, wildcards = map(Named, (given, made, params, wildcards))
    for path in made:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    facts = {"input": given, "output": made, "params": params, "wildcards": wildcards}
    job = SimpleNamespace(rule=script, log=[], threads=1, resources=SimpleNamespace(gpu=0), **facts)
    runpy.run_path(str(ROOT / "scripts" / f"{script}.py"), {"snakemake": job})


def write_record(rule, path, **params):
    """The record of what no script made."""
    place = record_path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_json(place, record(rule, [], {str(path): path}, params, 0.0, datetime(2026, 1, 1, tzinfo=UTC)))


def row_of(name, repo, **facts):
    """A row of the model table, as the rules have it among their parameters."""
    row = {"name": name, "repo": repo, "revision": "main", "modality": "language", "type": "causal_lm"}
    return {**row, "dtype": "bfloat16", "layers": standins.LAYERS + 1, "width": standins.WIDTH, **facts}


def fetch_stand_in(root, row):
    """A model of the hub, as `fetch_hub_model` leaves it."""
    folder = f"results/models/{row['name']}"
    shutil.copytree(root / "models" / row["repo"] / "main", folder)
    hub_models.make_safetensors(folder)
    write_manifest(folder, **row, commit=COMMIT, checksums_verified=True)
    write_record("fetch_hub_model", folder, row=row)
    return folder


def fetch_pairs(root):
    """The data set, as `fetch_hub_dataset` leaves it."""
    standins.pairs(root, count=PAIRS)
    files = sorted((root / "datasets").rglob("*.parquet"))
    facts = {"repo": DATASET["repo"], "commit": COMMIT, "checksums_verified": False}
    hub_pairs.make_from_parquet(files, 0, PAIRS, DATA, **facts)
    write_record("fetch_hub_dataset", DATA, row=DATASET)


def score(task):
    """What lm-eval would give."""
    shots, measure, value = TASKS[task]
    error = math.sqrt(value * (1 - value) / (LIMIT - 1))
    facts = {"task": task, "shots": shots, "measure": measure, "value": value, "stderr": error}
    return {**facts, "documents": LIMIT, "task_version": "1.0", "lm_eval": "0"}


def make_language(root, name):
    """All that is made of one language model."""
    repo = REPOSITORIES[name]
    standins.language_model(root, repo)
    row, model = row_of(name, repo), fetch_stand_in(root, row_of(name, repo))
    here, given = {"dataset": "wit", "model": name}, {"model": model, "dataset": DATA}
    how = {"weights": WEIGHTS, "device": "cpu"}
    made = {"features": f"results/features/wit/{name}.safetensors"}
    run("extract_features", made, given, here, row=row, settings=SETTINGS[name], **how)
    made = {"score": f"results/captions/wit/{name}.json"}
    run("score_captions", made, given, here, batch_tokens=64, **how)
    made, here = (
        {"score": f"results/performance/openwebtext/{name}.json"},
        {"corpus": "openwebtext", "model": name},
    )
    run("score_language_model", made, {"model": model, "text": TEXT}, here, window=64, stride=32, **how)
    path = Path(f"results/downstream/{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"model": name, **WEIGHTS, "scores": [score(task) for task in TASKS]})
    tasks = [f"{task}@{shots}" for task, (shots, *_) in TASKS.items()]
    write_record("evaluate_downstream", path, tasks=tasks, limit=LIMIT, weights=WEIGHTS)


def make_summaries(root):
    """Captions in few words, by an instruct model, and the levels of figure 9 from them."""
    repo = "meta-llama/Meta-Llama-3-8B-Instruct"
    standins.language_model(root, repo)
    given = {"model": fetch_stand_in(root, row_of("instruct", repo)), "dataset": DATA}
    how = {"weights": {"dtype": "float32"}, "device": "cpu", "levels": [2, 4], "drawn": 6, "seed": 0}
    run("summarise_captions", {"summaries": SUMMARIES}, given, {"dataset": "wit"}, **how)
    given = {"dataset": DATA, "packages": [], "summaries": SUMMARIES}
    run("make_caption_levels", {"levels": LEVELS}, given, {"dataset": "wit"}, levels=[2, 4], drawn=6, seed=0)


def make_likelihoods(root):
    """Two models of one tokenizer as distributions, and the table of distances."""
    other = "llama-13b"
    standins.language_model(root, "huggyllama/llama-13b")
    shutil.copytree(root / "models/huggyllama/llama-13b/main", f"results/models/{other}")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(f"results/models/{LLAMA}/{name}", f"results/models/{other}/{name}")
    row = row_of(other, "huggyllama/llama-13b")
    hub_models.make_safetensors(f"results/models/{other}")
    write_manifest(f"results/models/{other}", **row, commit=COMMIT, checksums_verified=True)
    write_record("fetch_hub_model", f"results/models/{other}", row=row)
    paths = {name: f"results/likelihoods/openwebtext/{name}.safetensors" for name in (LLAMA, other)}
    for name, path in paths.items():
        given = {"model": f"results/models/{name}", "text": TEXT}
        how = {"weights": WEIGHTS, "device": "cpu", "window": 64, "stride": 32, "inputs": 80, "labels": 8}
        here = {"corpus": "openwebtext", "model": name}
        made = {"score": f"results/performance/openwebtext/{name}.json", "likelihoods": path}
        run("score_language_model", made, given, here, **how)
    facts = {"models": [*paths], "pairs": [[*paths]], "widths": dict.fromkeys(paths, standins.WIDTH)}
    draws = {"resamples": 50, "confidence": 0.95, "seed": 0}
    run("tabulate_likelihoods", {"table": DISTANCES}, {"likelihoods": [*paths.values()]}, **facts, **draws)


def make_gap(root):
    """A model of two towers, its features, and the gap."""
    repo = "openai/clip-vit-base-patch32"
    standins.dual_encoder(root, repo)
    row = row_of("clip", repo, modality="both", type="dual_encoder", layers=2, dtype="float32")
    given, here = {"model": fetch_stand_in(root, row), "dataset": DATA}, {"dataset": "wit", "model": "clip"}
    how = {
        "weights": {"dtype": "float32"},
        "device": "cpu",
        "settings": {"batch_images": 4, "long_captions": "error"},
    }
    run("extract_features", {"features": TOWERS}, given, here, row=row, **how)
    how = {"dataset": ["wit"], "models": ["clip"], "shifts": [0, 0.5, 1], "k": 5}
    draws = {"resamples": 50, "confidence": 0.95, "seed": 0}
    run("measure_gap", {"table": GAP}, {"features": [TOWERS]}, **how, draws=draws)
    how = {"models": {"clip": {"label": "CLIP"}}, "caption": "stand-ins"}
    made = {ending: f"figures/modality_gap.{ending}" for ending in ("pdf", "png", "csv")}
    run("plot_modality_gap", made, {"gap": GAP}, numbers="drawn", **how)


def make_comparison():
    """Neighbours, alignment, tables and the two figures of all models."""
    values = torch.randn(2, PAIRS, 8, generator=torch.Generator().manual_seed(0))
    facts = {"model": "vit", "revision": "main", "pooling": "none", "pairs": PAIRS}
    write_features(VIT, {"a": values[0], "b": values[1]}, facts)
    vision = {"modality": "vision", "type": "timm_vit", "layers": 2, "width": 8}
    write_record("extract_timm_features", VIT, row=row_of("vit", "timm/vit", **vision), weights={})
    how, models = {"clamp": "exact", "concatenate": False, "device": "cpu"}, [*REPOSITORIES, "vit"]
    for name in models:
        made = {"neighbors": f"results/neighbors/wit/{name}.safetensors"}
        run("index_neighbors", made, {"features": f"results/features/wit/{name}.safetensors"}, k_max=5, **how)
    part = {"candidates": f"results/neighbor_candidates/wit/{BLOOMZ}/0.safetensors"}  # as of many items
    run(
        "index_rows",
        part,
        {"features": f"results/features/wit/{BLOOMZ}.safetensors"},
        k_max=5,
        part=0,
        size=4,
        **how,
    )
    tile = "results/alignment/wit/mutual_knn/0-0.parquet"
    given = {"models": [f"results/neighbors/wit/{name}.safetensors" for name in models]}
    pairs = {"metrics": {"mutual_knn": [5]}, "models": models, "pairs": [[LLAMA, "vit"], [BLOOMZ, "vit"]]}
    run("measure_alignment", {"scores": tile}, given, {"dataset": "wit"}, **pairs, **how)
    modality = {name: "vision" if name == "vit" else "language" for name in models}
    run("tabulate_alignment", {"table": TABLES[0]}, {"tiles": [tile], "calibrated": []}, modality=modality)
    given = {part: [f"results/{part}/{name}.json" for name in REPOSITORIES] for part in ("downstream",)}
    given |= {"captions": [f"results/captions/wit/{name}.json" for name in REPOSITORIES], "published": []}
    run("tabulate_downstream", {"table": TABLES[1]}, given, models=[*REPOSITORIES])
    given = {"scores": [f"results/performance/openwebtext/{name}.json" for name in REPOSITORIES]}
    run("tabulate_performance", {"table": TABLES[2]}, given)
    given = dict(zip(("alignment", "downstream", "performance"), TABLES, strict=True))
    labels = {name: {"label": name, "family": name, "parameters": 1} for name in models}
    drawn = {"dataset": "wit", "metric": "mutual_knn@5", "models": labels, "caption": "stand-ins"}
    for name, path in FIGURES.items():
        made = {ending: f"{path}.{ending}" for ending in ("pdf", "png", "csv")}
        more = {"vision": "vit"} if "downstream" in name else {}
        if not more:
            given = {**given, "published": ["reference.tsv"]}
            more = {"sets": {name: ["all"] for name in REPOSITORIES}, "concatenate": False}
        numbers = "drawn" if "downstream" in name else "comparison"
        run(f"plot_{name}", made, given, numbers=numbers, **drawn, **more)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of the run."""
    folder, root = tmp_path_factory.mktemp("paper"), tmp_path_factory.mktemp("hub")
    with contextlib.chdir(folder):
        (folder / "reference.tsv").write_text(PUBLISHED)
        fetch_pairs(root)
        Path(TEXT).parent.mkdir(parents=True)
        Path(TEXT).write_text(" ".join(text for text, *_ in standins.captions(PAIRS)))
        write_record("fetch_hub_corpus", TEXT, row={"bytes": None})
        for name in REPOSITORIES:
            make_language(root, name)
        make_summaries(root)
        make_likelihoods(root)
        make_gap(root)
        make_comparison()
    return folder


@pytest.fixture
def copy(finished, tmp_path):
    """A copy that may be altered."""
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def test_all_of_it_passes(finished):
    found = {f.artifact: f for f in audit.audit(finished, samples=100)}
    assert {f.artifact: f.reason for f in found.values() if f.verdict != "ok"} == {}
    assert not [name for name in found if audit.kind_of(name) == "other"]
    for path in (SUMMARIES, DISTANCES, TOWERS, GAP, f"results/likelihoods/openwebtext/{LLAMA}.safetensors"):
        assert "sample" in found[path].passed, found[path].reason
    for name in REPOSITORIES:
        for path in (f"results/features/wit/{name}.safetensors", f"results/captions/wit/{name}.json"):
            assert "sample" in found[path].passed, path
    remark = f"not pinned: huggyllama/llama-7b at main, fetched as huggyllama/llama-7b at commit {COMMIT}"
    assert found[f"results/models/{LLAMA}"].reason == remark
    assert found[DATA].reason.endswith("offline: checksums not compared with the hub's")


def test_the_document_says_what_they_hold(finished):
    run_examples(
        sorted(OF_THE_PAPER),
        finished,
        wit_1024="wit",
        dci_1024="wit",
        web_bible="openwebtext",
        **{"smollm2-135m.": f"{LLAMA}."},
    )
    assert len(OF_THE_PAPER) == 10
    for title in (title for title in OF_THE_PAPER if not title.endswith(".safetensors")):
        name = title.replace("<dataset>", "wit").replace("<model>", LLAMA)
        if name.endswith(".csv"):
            held = [*pd.read_csv(finished / name).columns]
        elif name.endswith(".parquet"):
            held = sorted(pd.read_parquet(finished / name).columns)
        else:
            found = json.loads((finished / name).read_text())
            held = sorted(found["scores"][0] if "scores" in found else found)
        assert held == (listed(title) if name.endswith(".csv") else sorted(listed(title))), title


def without_a_tensor(folder, _target):
    """Take a tensor out of a shard, and set the manifest right."""
    path = sorted(folder.glob("model-*.safetensors"))[0]
    weights = load_file(path)
    weights.pop(sorted(weights)[0])
    save_file(weights, path)
    manifest()(folder, None)


def other_captions(folder, _target):
    """One pair fewer, and a manifest that says so."""
    table = pd.read_parquet(folder / "captions.parquet").iloc[:-1]
    table.to_parquet(folder / "captions.parquet", index=False)
    manifest(pairs=len(table))(folder, None)


def louder(path, target):
    layers, names, metadata = read_features(path)
    write_features(target, {n: v * 1.2 for n, v in zip(names, layers, strict=True)}, metadata)


def of_another_type(path, target):
    layers, names, metadata = read_features(path)
    write_features(target, dict(zip(names, layers, strict=True)), {**metadata, "dtype": "float32"})


@edited
def moved_bits(found):
    """The same mean over captions, and a sum that is right: only scoring captions again shows it."""
    sizes = np.array([len(text) for text, *_ in standins.captions(PAIRS)])
    bits = found["caption_bits"] + 0.5 * sizes * np.resize([1, -1], PAIRS)
    found["caption_bits"] = bits.tolist()
    found["pooled_bits_per_byte"] = bits.sum() / sizes.sum()


def summary(column, value):
    """A change of the first summary."""

    def change(path, target):
        table = pd.read_parquet(path)
        table.loc[0, column] = value
        table.to_parquet(target, index=False)

    return change


def scores(key, value):
    """A change of the first benchmark's score."""

    @edited
    def change(found):
        found["scores"][0][key] = value

    return change


@edited
def one_task_only(found):
    found["scores"].pop()


def captions(key, value):
    """A change of a key, or of the first caption's bits."""

    @edited
    def change(found):
        if key == "caption_bits":
            found[key][0] = value
        else:
            found[key] = value

    return change


SCORES, BITS = f"results/downstream/{LLAMA}.json", f"results/captions/wit/{LLAMA}.json"
FORGED = [
    (f"results/models/{LLAMA}", manifest(repo="huggyllama/llama-13b"), "comes from huggyllama/llama-13b"),
    (f"results/models/{LLAMA}", manifest(commit="main"), "has `main` for a commit"),
    (f"results/models/{LLAMA}", manifest(width=64), "says width is 64, the rule asked for 32"),
    (f"results/models/{LLAMA}", without_a_tensor, "is not in model-00001-of-"),
    (DATA, manifest(repo="some/other"), "comes from some/other, its row asks for minhuh/prh"),
    (DATA, other_captions, f"has {PAIRS - 1} pairs, its row asks for {PAIRS}"),
    (f"results/features/wit/{LLAMA}.safetensors", louder, "made again it differs"),
    (f"results/features/wit/{BLOOMZ}.safetensors", louder, "made again it differs"),
    (
        f"results/features/wit/{LLAMA}.safetensors",
        of_another_type,
        "made with dtype float32, the rule asked for",
    ),
    (SUMMARIES, summary("words", 99), "words are not those of the summary"),
    (SUMMARIES, summary("asked", 3), "has other numbers of words than were asked for"),
    (LEVELS, summary("caption", "one two three four five"), f"its captions are not those of {SUMMARIES}"),
    (DISTANCES, csv("d_logit", lambda v: v[0] + 0.1), "made again"),
    (DISTANCES, csv("ci_low", lambda v: v[0] + 99), "an interval the wrong way round"),
    (TOWERS, louder, "made again it differs"),
    (GAP, csv("gap", lambda v: v[0] + 0.01), "made again"),
    (GAP, csv("image_to_text", lambda v: 1.5), "a share lies outside 0 ... 1"),
    (GAP, csv("gap_low", lambda v: v[0] + 2), "an interval is the wrong way round"),
    (GAP, csv("shift", lambda v: 0.25), "holds other models or shifts than the rule asked for"),
    (GAP, csv("loss", lambda v: -1), "a loss is negative"),
    (BITS, captions("bits_per_byte", 1.0), "is not the mean over captions"),
    (BITS, captions("pooled_bits_per_byte", 1.0), "do not add up to pooled_bits_per_byte"),
    (BITS, captions("bytes", 7), "of 24 captions, 7 bytes"),
    (BITS, captions("captions", 23), "has the bits of 24 captions, says 23"),
    (BITS, captions("caption_bits", -1.0), "the bits of caption 0 are not a number of bits"),
    (BITS, captions("longest_tokens", 3), "longest_tokens is 3, counted again"),
    (BITS, captions("dtype", "float32"), "made with dtype float32, the rule asked for bfloat16"),
    (BITS, moved_bits, "bits, scored again"),
    (SCORES, scores("value", 0.3), f"is 0.3, not a share of {LIMIT} documents"),
    (SCORES, scores("value", 1.25), f"is 1.25, not a share of {LIMIT} documents"),
    (SCORES, scores("value", 0.5), "has the standard error 0.1636"),
    (SCORES, scores("documents", 16), "of 16 documents, the rule asked for 8"),
    (SCORES, scores("shots", 0), "holds hellaswag@0, gsm8k@5, the rule asked for hellaswag@10, gsm8k@5"),
    (SCORES, one_task_only, "holds hellaswag@10, the rule asked for"),
    (TABLES[1], csv("value", lambda v: v[0] + 0.01), f"bits per byte (captions) of {BLOOMZ} is"),
    (TABLES[1], csv("model", lambda m: "gpt"), "holds gpt, which is not of this run"),
    (TABLES[1], csv("measure", lambda m: "colour"), f"colour of {BLOOMZ} was not measured"),
    (TABLES[1], csv("measure", lambda m: m[1]), f"of {BLOOMZ} stands twice"),
    ("figures/alignment_vs_downstream.csv", csv("value", lambda v: 0.9), f"not that of {TABLES[1]}"),
    ("figures/alignment_vs_downstream.csv", csv("score", lambda v: 0.9), f"not that of {TABLES[0]}"),
    ("figures/reproduced_vs_published.csv", csv("ours", lambda v: 0.9), "ours of score, llama-7b is 0.9"),
    ("figures/reproduced_vs_published.csv", csv("difference", lambda v: 0), "difference of score, llama-7b"),
]


@pytest.mark.parametrize(("name", "change", "reason"), FORGED, ids=[reason for *_, reason in FORGED])
def test_what_is_whole_but_not_true(copy, name, change, reason):
    forge(copy, name, change)
    found = {f.artifact: f for f in audit.audit(copy, samples=100 if "again" in reason else 0)}
    assert "digest" in found[name].passed
    assert reason in found[name].reason


def test_likelihoods_without_a_fast_tokenizer(tmp_path):
    """OpenLLaMA's repositories have a sentencepiece model only."""
    name = "openlm-research/open_llama_3b"
    standins.language_model(tmp_path / "hub", name)
    (tmp_path / "run").mkdir()
    with contextlib.chdir(tmp_path / "run"):
        model = fetch_stand_in(tmp_path / "hub", row_of("open_llama_3b", name))
        assert not Path(model, "tokenizer.json").exists()
        Path("text.txt").write_text(" ".join(text for text, *_ in standins.captions(PAIRS)))
        how = {"weights": WEIGHTS, "device": "cpu", "window": 32, "stride": 16, "inputs": 40, "labels": 8}
        here, made = (
            {"corpus": "text", "model": "open_llama_3b"},
            {"score": "made.json", "likelihoods": "made.safetensors"},
        )
        run("score_language_model", made, {"model": model, "text": "text.txt"}, here, **how)
        assert load_file("made.safetensors")["log_likelihoods"].shape == (40, 8)


def test_a_model_that_does_not_fit_into_memory_is_left_out(finished, monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda name: 1)
    found = {f.artifact: f for f in audit.audit(finished, samples=100)}
    assert "this machine has 0" in found[BITS].reason
    assert found[BITS].verdict == "ok"


def test_class_tokens_of_timm_are_made_again(tmp_path):
    """In the environment that has timm: make rehearse."""
    pytest.importorskip(
        "timm", reason="timm has an environment of its own: make rehearse", exc_type=ImportError
    )
    name = "vit_tiny_patch16_224.augreg_in21k"
    row = row_of(
        name, f"timm/{name}", modality="vision", type="timm_vit", layers=standins.BLOCKS, dtype="float32"
    ) | dict.fromkeys(PIXELS)  # the columns that say nothing
    made = f"results/features/wit/{name}.safetensors"
    standins.vision_model(tmp_path / "hub", row["repo"])
    (tmp_path / "run").mkdir()
    with contextlib.chdir(tmp_path / "run"):
        fetch_pairs(tmp_path / "hub")
        given = {"model": fetch_stand_in(tmp_path / "hub", row), "dataset": DATA}
        how = {"settings": {"batch_images": 4}, "weights": {"dtype": "float32"}, "device": "cpu"}
        run("extract_features", {"features": made}, given, row=row, **how)
    found = {f.artifact: f for f in audit.audit(tmp_path / "run", samples=100)}
    assert "sample" in found[made].passed, found[made].reason
    forge(tmp_path / "run", made, louder)
    found = {f.artifact: f for f in audit.audit(tmp_path / "run", samples=100)}
    assert "made again it differs" in found[made].reason
