"""The whole of config/paper.yaml against a loopback hub: the paper's 37 models and the newer ones, all figures, by the real clients.

Stand-ins with random weights take the models' place, so the numbers mean nothing. `make rehearse` sets up the environment
that this needs (timm, lm-eval) and runs it; `make rehearse MODELS="gemma-2b bloomz-560m ..."` runs it with some of the
models, among which must be those that config/paper.yaml names for single figures.
"""

import json
import os
import subprocess
from collections import Counter
from types import SimpleNamespace

import pandas as pd
import pytest
import standins
import yaml
from loopback import Hub

from helpers.project import ROOT, SNAKEMAKE
from prh.audit import audit, findings
from prh.features.layers import read_features

pytestmark = pytest.mark.slow
CHOSEN = os.environ.get("REHEARSE", "").split()
ALL = standins.rows()
OF_GRID = [row for row in ALL if {"paper", "newer"} & {*row["sets"].split()}]
ROWS = [row for row in OF_GRID if not CHOSEN or row["name"] in CHOSEN]
LANGUAGE = [row["name"] for row in ROWS if row["modality"] == "language"]
GATED, OPEN = "gemma-2b", "bloomz-560m"
# What differs from config/paper.yaml: what the figures say of themselves, sizes, and the device.
SMALL = {
    "title": "rehearsal with random stand-ins",
    "device": "cpu",
    "tables": {"models": "models.tsv", "corpora": "corpora.tsv", "datasets": "datasets.tsv"},
    "calibration": {"permutations": 19},
    "performance": {
        "window": 256,
        "stride": 128,
        "task_limit": 4,
        "likelihoods": {"inputs": 100, "labels": 16},
    },
    "intervals": {"resamples": 20},
    "caption_density": {"data": "dci_1024"},
    "alignment_over_n": {"sizes": [32, 50], "permutations": 19},
    "colour_geometry": {"pairs": 20000, "starts": 2, "resamples": 10, "permutations": 19},
}
# Of figure 2, where single models are chosen: the ViTs among these, some of the ResNets, and some of the tasks.
RESNETS = ["resnet18.tv_in1k", "resnet50.a1_in1k", "resnet18.fb_ssl_yfcc100m_ft_in1k"]
TASKS = ["vtab_caltech101", "vtab_svhn", "vtab_sun397"]


def transfer():
    """What the rehearsal asks of figure 2."""
    if not CHOSEN:
        return {"images": "places_1000"}
    vits = [row["name"] for row in ROWS if row["modality"] == "vision"]
    return {"images": "places_1000", "models": [*vits, *RESNETS], "tasks": TASKS}


def layers_of(kind):
    """Layers of a stand-in of a type."""
    found = {"timm_vit": standins.BLOCKS, "timm_cnn": 5, "vision": standins.BLOCKS + 1, "dual_encoder": 2}
    return found.get(kind, standins.LAYERS + 1)


def tables(folder):
    """The tables of the paper's scale with the stand-ins' layers, widths and needs, and less text."""
    models = pd.read_csv(ROOT / "config/models_paper.tsv", sep="\t", dtype=str, keep_default_na=False)
    models["layers"] = models.type.map(layers_of)
    models["width"], models["memory_gb"] = standins.WIDTH, 1
    models.to_csv(folder / "models.tsv", sep="\t", index=False)
    corpora = pd.read_csv(ROOT / "config/corpora.tsv", sep="\t", dtype=str, keep_default_na=False)
    corpora.loc[corpora.name == "openwebtext", "tokens"] = "3000"
    corpora.to_csv(folder / "corpora.tsv", sep="\t", index=False)
    datasets = pd.read_csv(ROOT / "config/datasets.tsv", sep="\t", dtype=str, keep_default_na=False)
    datasets.loc[datasets.source == "dci", "size"] = "24"
    datasets.loc[datasets.name == "wit_10240", "size"] = "100"
    datasets.to_csv(folder / "datasets.tsv", sep="\t", index=False)
    config = {**SMALL, "models": [row["name"] for row in ROWS], "transfer": transfer()}
    (folder / "rehearsal.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A loopback hub with all stand-ins, and a function that runs the workflow against it."""
    pytest.importorskip(
        "timm", reason="timm has an environment of its own: make rehearse", exc_type=ImportError
    )
    pytest.importorskip("lm_eval", reason="lm-eval has an environment of its own: make rehearse")
    root = tmp_path_factory.mktemp("paper")
    others = [row["repo"] for row in ALL if row not in OF_GRID]  # of single figures
    standins.everything(root / "hub", [*(row["repo"] for row in ROWS), *others])
    hub, folder = Hub(root / "hub"), root / "run"
    folder.mkdir()
    standins.folders(folder)
    tables(folder)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    clean.pop("PYTHONDONTWRITEBYTECODE", None)

    def run(*arguments, **variables):
        configs = [str(ROOT / "config/paper.yaml"), str(folder / "rehearsal.yaml")]
        command = [*SNAKEMAKE, "--directory", str(folder), "--configfile", *configs, *arguments]
        environment = {**clean, **hub.environment(root / "home", OMP_NUM_THREADS="1", **variables)}
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=5400
        )

    yield SimpleNamespace(hub=hub, folder=folder, run=run)
    hub.close()


@pytest.fixture(scope="module")
def finished(served):
    """First a run without a token, which a gated model does not take; then one with it."""
    wanted = features(GATED, OPEN)
    first = served.run("--cores", "2", "--keep-going", "--", *wanted)
    early = [path for path in wanted if (served.folder / path).exists()]
    second = served.run("--cores", "2", HF_TOKEN="hf_token")
    assert second.returncode == 0, (second.stdout + second.stderr)[-8000:]
    return SimpleNamespace(**vars(served), first=first, early=early)


def features(*models):
    """Their files."""
    return [f"results/features/wit_1024/{model}.safetensors" for model in models]


def test_a_gated_model_does_not_cost_the_others_work(finished):
    assert finished.first.returncode != 0
    assert finished.early == features(OPEN)
    said = [line for line in finished.first.stderr.splitlines() if "is gated: accept its licence" in line]
    assert said
    assert f"model table, row `{GATED}`" in said[0]


def test_every_model_has_features(finished):
    for row in ROWS:
        layers, _, metadata = read_features(finished.folder / features(row["name"])[0])
        assert [tuple(layer.shape) for layer in layers] == [(1024, standins.WIDTH)] * layers_of(row["type"])
        assert metadata["pairs"] == 1024
        if row["modality"] == "language":
            assert metadata["dtype"] == "bfloat16"


def test_tables(finished):
    alignment = pd.read_csv(finished.folder / "results/tables/alignment.csv")
    metrics = yaml.safe_load((ROOT / "config/paper.yaml").read_text())["alignment"]["metrics"]
    assert len(alignment) == len(metrics) * len(ROWS) * (len(ROWS) - 1) // 2
    performance = pd.read_csv(finished.folder / "results/tables/performance.csv")
    assert performance.model.tolist() == LANGUAGE
    assert performance.bits_per_byte.between(0.5, 8).all()
    assert performance["bytes"].nunique() == 1
    downstream = pd.read_csv(finished.folder / "results/tables/downstream.csv")
    assert set(downstream.measure) >= {"hellaswag", "gsm8k", "bits per byte (captions)"}
    assert (downstream.groupby("measure").model.nunique() == len(LANGUAGE)).all()


def test_figures(finished):
    names = {path.stem for path in (finished.folder / "figures").glob("*.pdf")}
    assert names >= {
        "alignment_vs_performance",
        "alignment_vs_downstream",
        "reproduced_vs_published",
        "cknna_by_k",
        "vision_convergence",
        "vision_map",
        "colour_geometry",
        "alignment_by_caption_density",
        "alignment_over_n",
    }
    assert len(names) == 21
    compared = pd.read_csv(finished.folder / "figures/reproduced_vs_published.csv")
    config = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    asked = compared.metric.isna() | compared.metric.isin(config["alignment"]["metrics"])
    needs_null = compared.quantity.isin(["mean null", "mean calibrated score"])
    asked &= ~needs_null | compared.metric.isin(config["calibration"]["metrics"])
    missing = compared[asked & compared.ours.isna()]
    assert CHOSEN or missing.empty, missing.to_string()
    assert compared.ours.notna().any()


def test_alignment_over_n_takes_the_first_rows_of_many(finished):
    """Of four files with 54 captions each the first two, for 100 pairs; beside the numbers published of these models."""
    manifest = json.loads((finished.folder / "results/data/wit_10240/manifest.json").read_text())
    assert (manifest["pairs"], manifest["repo"]) == (100, "askoepke/wit_1m_recaptioned")
    assert manifest["passed_over"] == 12
    fetched = {path for _, path, _ in finished.hub.requests if "resolve" in path and "wit_1m/" in path}
    assert {path.rsplit("/", 1)[1][:11] for path in fetched} == {"train-00000", "train-00001"}
    table = pd.read_csv(finished.folder / "results/tables/alignment_over_n.csv")
    assert sorted(table.n.unique()) == [32, 50, 100]
    drawn = pd.read_csv(finished.folder / "figures/alignment_over_n.csv")
    assert set(drawn.origin) == {"this run", "geometry-aware-prh, exp-006: 15 pairs on WIT"}
    assert CHOSEN or len(table.drop_duplicates(["model_x", "model_y"])) == 15


def test_the_audit_passes(finished, monkeypatch):
    """Of everything that can be made again a part is; the folder is a relative one, as a user would give it."""
    monkeypatch.chdir(finished.folder.parent)
    found = audit.audit(finished.folder.name, samples=1000)
    assert [(f.artifact, f.reason) for f in findings.failures(found)] == []
    sampled = {f.rule for f in found if "sample" in f.passed}
    states = {"extract_transformers_features"} if any(row["type"] == "vision" for row in ROWS) else set()
    families = Counter(row["family"] for row in ROWS if row["modality"] == "language")
    states |= {"score_language_model" if n == 1 else "score_with_likelihoods" for n in families.values()}
    assert sampled == states | {
        "calibrate_alignment",
        "extract_language_features",
        "describe_layers",
        "embed_colour_words",
        "extract_caption_levels",
        "extract_timm_features",
        "extract_transformers_features",
        "index_neighbors",
        "measure_alignment",
        "measure_gap",
        "measure_over_n",
        "measure_windows",
        "score_captions",
        "probe_tasks",
        "summarise_captions",
        "tabulate_caption_density",
        "tabulate_colours",
        "tabulate_transfer",
    }


def test_nothing_is_done_or_fetched_twice(finished):
    finished.hub.requests.clear()
    done = finished.run("--cores", "2", HF_TOKEN="hf_token")
    assert "Nothing to be done" in done.stdout + done.stderr
    assert finished.hub.requests == []
