"""A run of features that others computed: by two commands to a plan, and one to its end, with its audit."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from helpers.configuration import SCHEMAS
from helpers.project import ROOT, SNAKEMAKE
from prh.alignment.align import align
from prh.configuration.add import add_model
from prh.errors import InputError

N = 20
SHARED = torch.randn(N, 3, generator=torch.Generator().manual_seed(0))


def made(seed, layers):
    """Features (N, layers, 6) that share three directions."""
    own = torch.randn(N, layers, 3, generator=torch.Generator().manual_seed(seed))
    return torch.cat([own, SHARED[:, None].expand(N, layers, 3)], dim=2)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A working directory with tables, N pictures with captions, and two files of features of them."""
    monkeypatch.chdir(tmp_path)
    for name in ("config", "pictures", "f"):
        Path(name).mkdir()
    for name in ("models", "packages", "corpora", "datasets"):
        Path(f"config/{name}.tsv").write_text((ROOT / f"config/{name}.tsv").read_text())
    for i in range(N):
        Image.new("RGB", (8, 8), (12 * i, 0, 0)).save(f"pictures/{i}.png")
    lines = [f"{i}.png,picture {i}" for i in range(N)]
    Path("pictures/captions.csv").write_text("\n".join(["image,caption", *lines]) + "\n")
    np.save("f/seen.npy", made(1, 2).numpy())
    torch.save({"feats": made(2, 3).bfloat16()}, "f/read.pt")
    return tmp_path


def add(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts/add.py"), *arguments], capture_output=True, text=True
    )


def test_a_row_for_a_file_of_features(workplace):
    facts, config = add_model("f/seen.npy", SCHEMAS, modality="vision")
    cells = dict(
        zip(
            *(
                line.split("\t")
                for line in (Path("config/models.tsv").read_text().splitlines()[i] for i in (0, -1))
            ),
            strict=True,
        )
    )
    assert {key: cells[key] for key in ("name", "type", "modality", "path")} == {
        "name": "seen", "type": "features", "modality": "vision", "path": "f/seen.npy",
    }  # fmt: skip
    assert (facts["kind"], facts["pairs"], facts["layers"], facts["width"]) == ("features (vision)", N, 2, 6)
    assert config["models"] == ["minilm-l6", "seen"]
    with pytest.raises(
        InputError,
        match="--modality is missing: a model of type features does not tell; say language or vision",
    ):
        add_model("f/read.pt", SCHEMAS)
    with pytest.raises(
        InputError, match="--modality both: models of type features are for language or vision"
    ):
        add_model("f/read.pt", SCHEMAS, modality="both")


@pytest.mark.slow
def test_a_run_of_two_files(workplace):
    assert add("data", "pictures").returncode == 0
    assert add("model", "f/seen.npy", "--modality", "vision").returncode == 0
    assert add("model", "f/read.pt", "--modality", "language").returncode == 0
    metrics = {"metrics": ["mutual_knn@5"]}
    config = {"title": "given", "datasets": ["pictures"], "models": ["seen", "read"]}
    config |= {
        "alignment": metrics,
        "calibration": metrics | {"permutations": 19},
        "intervals": {"resamples": 20},
    }
    config |= {"figures": {"layer_pairs": [["read", "seen"]], "distance_windows": [0, 0.5, 1]}}
    config |= dict.fromkeys(("transfer", "colour_geometry", "caption_density", "alignment_over_n"))
    Path("mine.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [*SNAKEMAKE, "--cores", "2", "--configfile", "mine.yaml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (row,) = pd.read_csv("results/tables/alignment.csv").itertuples()
    again = align(made(2, 3).bfloat16().float().unbind(1), made(1, 2).unbind(1), "mutual_knn@5")
    assert (row.model_x, row.model_y, row.layer_x, row.layer_y) == (
        "read",
        "seen",
        again.layer_x,
        again.layer_y,
    )
    assert row.score == pytest.approx(again.score, abs=1e-9)
    audited = subprocess.run([sys.executable, str(ROOT / "scripts/audit.py")], capture_output=True, text=True)
    assert audited.returncode == 0, audited.stdout
    table = pd.read_csv("results/audit/audit.csv").set_index("artifact")
    assert "all layers: differ by 0e+00" in " ".join(
        map(str, table.loc["results/features/pictures/seen.safetensors"])
    )
    torch.save({"feats": made(2, 3)[:-1]}, "f/read.pt")
    done = subprocess.run(
        [*SNAKEMAKE, "--cores", "2", "--configfile", "mine.yaml"], capture_output=True, text=True
    )
    assert (
        f"model table, row `read`: has features of {N - 1} pairs, but data set `pictures` has {N}"
        in done.stderr
    )
    assert done.returncode != 0
