"""A data set that goes in shards: what is planned, what a lost shard costs, and that the whole gives the same."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image
from snakemake.settings.enums import RerunTrigger
from snakemake.settings.types import DAGSettings

from helpers.project import ROOT, SNAKEMAKE
from helpers.rules import opened
from helpers.tiny_models import save
from prh.audit import audit, findings
from prh.provenance import record_path, tree_digests

N, SHARD = 24, 8  # of which batches of 4 images, and of 4 captions of 5 tokens, are whole parts
WORDS = ("a", "red", "blue", "cat", "dog", "runs", "sleeps")
MODELS = ("bert", "vit")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A working directory with pictures, two tiny models, their tables and configurations: whole.yaml, shards.yaml."""
    monkeypatch.chdir(tmp_path)
    for name in ("config", "pictures"):
        Path(name).mkdir()
    for name in ("packages", "corpora"):
        Path(f"config/{name}.tsv").write_text((ROOT / f"config/{name}.tsv").read_text())
    lines = ["image,caption"]
    for i in range(N):
        Image.new("RGB", (40, 36), (10 * i, 255 - 9 * i, 31 * i % 255)).save(f"pictures/{i}.png")
        lines.append(f"{i}.png,{WORDS[i % 7]} {WORDS[i // 7]} {WORDS[i % 5]}")
    Path("pictures/captions.csv").write_text("\n".join(lines) + "\n")
    Path("config/datasets.tsv").write_text(
        "name\tlabel\tsource\tpath\tlicence\npictures\tp\tfolder\tpictures\tmine\n"
    )
    rows = [
        f"{name}\t{kind}\tmodels/{name}"
        for name, kind in zip(MODELS, ("text_encoder", "vision"), strict=True)
    ]
    Path("config/models.tsv").write_text("\n".join(["name\ttype\tpath", *rows]) + "\n")
    for name in MODELS:
        save(name, f"models/{name}")
    metrics = {"metrics": ["mutual_knn@5", "cka"]}
    features = {"batch_tokens": 20, "batch_images": 4}
    config = {"title": "shards", "datasets": ["pictures"], "models": [*MODELS], "features": features}
    config |= {
        "alignment": metrics,
        "calibration": metrics | {"permutations": 19},
        "intervals": {"resamples": 20},
    }
    config |= {"figures": {"layer_pairs": [], "distance_windows": [0, 0.5, 1]}}
    config |= dict.fromkeys(("transfer", "colour_geometry", "caption_density", "alignment_over_n"))
    Path("whole.yaml").write_text(json.dumps(config))
    features["items_per_shard"] = SHARD
    Path("shards.yaml").write_text(json.dumps(config))
    return tmp_path


def snakemake(config, *arguments):
    command = [*SNAKEMAKE, *arguments, "--cores", "2", "--configfile", config]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def planned(config, *targets):
    """How many jobs of each rule are planned, by the times of files alone."""
    with opened([Path(config).absolute()], Path.cwd()) as found:
        asked = DAGSettings(targets=set(targets), rerun_triggers={RerunTrigger.MTIME})
        found.dag(asked).execute_workflow(executor="dryrun")
        dag = found._workflow.dag
        return Counter(job.rule.name for job in dag.jobs if dag.needrun(job))


def made(path):
    return path.stat().st_mtime_ns


def shards(model):
    return [f"results/shards/pictures/{model}/{i:05d}.safetensors" for i in range(N // SHARD)]


def test_what_is_planned(workplace):
    whole, found = planned("whole.yaml"), planned("shards.yaml")
    assert whole["extract_language_features"] == whole["extract_transformers_features"] == 1
    assert found["extract_language_shard"] == found["extract_transformers_shard"] == N // SHARD
    assert found["merge_features"] == 2
    assert found.total() == whole.total() + 2 * N // SHARD
    # A lost shard is made again, and no other.
    made = [f"results/{folder}" for folder in ("data/pictures", "models/bert", "models/vit")]
    for place in made:
        Path(place).mkdir(parents=True)
        Path(place, ".snakemake_timestamp").touch()
    for path in map(Path, shards("bert") + shards("vit")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    targets = [f"results/features/pictures/{name}.safetensors" for name in MODELS]
    assert planned("shards.yaml", *targets) == {"merge_features": 2}
    Path(shards("vit")[1]).unlink()
    assert planned("shards.yaml", *targets) == {
        "extract_transformers_shard": 1,
        "merge_features": 2,
    }
    # Merged once, shards are gone and not missed.
    for path in map(Path, targets):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for path in map(Path, shards("bert") + shards("vit")):
        path.unlink(missing_ok=True)
    assert planned("shards.yaml", *targets) == {}


@pytest.mark.slow
def test_in_shards_killed_and_resumed_it_is_the_same_run(workplace):
    snakemake("whole.yaml", "tables")
    kept = {
        name: tree_digests(f"results/{name}")
        for name in ("features", "neighbors", "alignment", "calibration", "tables")
    }
    Path("results").rename("first")
    Path(".snakemake").rename("first_snakemake")
    command = [*SNAKEMAKE, "tables", "--cores", "1", "--configfile", "shards.yaml"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while len(there := sorted(Path("results/shards").glob("*/*/0*.safetensors"), key=made)) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    first = record_path(there[0])  # of the second one Snakemake may not know yet
    said = first.read_text()
    snakemake("shards.yaml", "--unlock")
    rules = ("extract_language_shard", "extract_transformers_shard")
    snakemake("shards.yaml", "--rerun-incomplete", "--notemp", "--until", *rules)
    assert first.read_text() == said  # when it began: what was finished is not done again
    found = {found.artifact: found for found in audit.audit(Path())}
    assert {found[name].verdict for name in shards("bert") + shards("vit")} == {"ok"}
    assert all("made again" in found[name].reason for name in shards("bert"))
    snakemake("shards.yaml", "tables", "--rerun-incomplete")
    assert {name: tree_digests(f"results/{name}") for name in kept} == kept
    assert not list(Path("results/shards").rglob("*.safetensors"))
    found = audit.audit(Path())
    assert findings.failures(found) == []
    reasons = {finding.artifact: finding.reason for finding in found}
    assert "made again, all layers" in reasons["results/features/pictures/vit.safetensors"]
    assert (
        reasons[shards("vit")[0]]
        == "removed when it had been merged into results/features/pictures/vit.safetensors"
    )
    assert planned("shards.yaml", "tables") == {}
