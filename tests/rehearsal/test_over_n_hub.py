"""The first rows of a million pairs, from a loopback hub to the figure over n, with one pair of the paper's models as stand-ins."""

import json
import os
import subprocess

import pandas as pd
import pytest
import standins
import yaml
from loopback import Hub
from test_paper import layers_of

from helpers.project import ROOT, SNAKEMAKE
from prh.audit import audit, findings

pytestmark = pytest.mark.slow
PAIR = ["bloomz-560m", "vit_tiny_patch16_224.augreg_in21k"]


def test_from_the_hub_to_the_figure(tmp_path):
    pytest.importorskip(
        "timm", reason="timm has an environment of its own: make rehearse", exc_type=ImportError
    )
    rows = {row["name"]: row for row in standins.rows()}
    standins.language_model(tmp_path / "hub", rows[PAIR[0]]["repo"])
    standins.vision_model(tmp_path / "hub", rows[PAIR[1]]["repo"])
    standins.more_pairs(tmp_path / "hub")
    for name in ("models_paper", "datasets"):
        table = pd.read_csv(ROOT / f"config/{name}.tsv", sep="\t", dtype=str, keep_default_na=False)
        if name == "datasets":
            table.loc[table.name == "wit_10240", "size"] = "100"
        else:
            table["layers"] = table.type.map(layers_of)
            table["width"] = standins.WIDTH
        table.to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
    config = {
        "models": PAIR,
        "device": "cpu",
        "tables": {"models": "models_paper.tsv", "datasets": "datasets.tsv"},
        "figures": {"layer_pairs": [], "downstream_vision": None},
        "alignment_over_n": {"sizes": [32, 50], "permutations": 19},
        **dict.fromkeys(("colour_geometry", "modality_gap")),
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    hub = Hub(tmp_path / "hub")
    command = [*SNAKEMAKE, "--directory", str(tmp_path), "--cores", "1", "--configfile"]
    command += [
        str(ROOT / "config/paper.yaml"),
        str(tmp_path / "mine.yaml"),
        "--",
        "figures/alignment_over_n.pdf",
    ]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    clean |= hub.environment(tmp_path / "home", OMP_NUM_THREADS="1")
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=1200)
    hub.close()
    assert done.returncode == 0, done.stderr[-4000:]

    manifest = json.loads((tmp_path / "results/data/wit_10240/manifest.json").read_text())
    assert (manifest["pairs"], manifest["passed_over"]) == (100, 12)  # every tenth row has no caption
    fetched = {
        path.rsplit("/", 1)[1] for _, path, _ in hub.requests if "resolve" in path and "wit_1m/" in path
    }
    assert {name[:11] for name in fetched} == {"train-00000", "train-00001"}  # of four files
    table = pd.read_csv(tmp_path / "results/tables/alignment_over_n.csv")
    assert sorted(table.n.unique()) == [32, 50, 100]
    drawn = pd.read_csv(tmp_path / "figures/alignment_over_n.csv")
    assert drawn.groupby("origin", sort=False).n.max().tolist() == [100, 10240]
    found = audit.audit(tmp_path, samples=1000)
    assert [(f.artifact, f.reason) for f in findings.failures(found, partial=True)] == []
    assert "sample" in {f.artifact: f.passed for f in found}["results/tables/alignment_over_n.csv"]
