"""The authors' own features as a run: stand-ins of their names from a plan to the figure, and files of their true shapes."""

import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from helpers import official
from helpers.project import ROOT, SNAKEMAKE
from helpers.shared import share
from prh.performance.performance import performance_table
from prh.performance.published import read_numbers

FOUR = [
    "bloomz-560m",
    "llama-30b",
    "vit_tiny_patch16_224.augreg_in21k",
    "vit_small_patch16_224.augreg_in21k",
]
FIGURE = "figures/alignment_vs_performance.csv"


def run(*arguments, config=None):
    """Snakemake with config/official.yaml, and more over it."""
    Path("mine.yaml").write_text(yaml.safe_dump(config or {"title": "stand-ins"}))
    command = [
        *SNAKEMAKE,
        "--cores",
        "2",
        *arguments,
        "--configfile",
        str(ROOT / "config/official.yaml"),
        "mine.yaml",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_the_table_is_the_authors_and_the_papers(config):
    """29 rows, with what the list of the authors' files and the paper's table say of them."""
    over = yaml.safe_load((ROOT / "config/official.yaml").read_text())
    theirs = {row["model"]: row for row in official.facts()[1]}
    lines = [line.split("\t") for line in (ROOT / official.TABLE).read_text().splitlines()]
    rows = {row[0]: dict(zip(lines[0], row, strict=True)) for row in lines[1:]}
    lines = [line.split("\t") for line in (ROOT / "config/models_paper.tsv").read_text().splitlines()]
    paper = {row[0]: dict(zip(lines[0], row, strict=False)) for row in lines[1:]}
    assert rows.keys() == theirs.keys()
    for name, row in rows.items():
        assert (row["path"], row["type"]) == (theirs[name]["file"], "features")
        assert all(row[key] == theirs[name][key] for key in ("layers", "width"))
        assert all(
            row[key] == paper[name][key]
            for key in ("label", "modality", "family", "size_name", "layers", "width")
        )
    assert over["features"]["folder"] == "data/official"


@pytest.mark.parametrize("model", ["bloomz-560m", "vit_tiny_patch16_224.augreg_in21k"])
def test_a_file_of_the_true_shape_has_the_size_that_the_commit_says(model, tmp_path):
    (row,) = [row for row in official.facts()[1] if row["model"] == model]
    shape = (official.PAIRS, int(row["layers"]), int(row["width"]))
    found = {"feats": torch.zeros(shape, dtype=getattr(torch, row["dtype"])), "num_params": 1}
    if row["longest_tokens"]:
        found["mask"] = torch.zeros((official.PAIRS, int(row["longest_tokens"])), dtype=torch.int64)
    torch.save(found, tmp_path / row["file"])
    assert abs((tmp_path / row["file"]).stat().st_size - int(row["bytes"])) < 4096


def test_a_plan_of_all_fetches_and_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    official.make("data/official")
    said = run("-n", "figures", "tables")
    planned = dict(re.findall(r"^(\w+) +(\d+)$", said.partition("Job stats:")[2].partition("total")[0], re.M))
    assert planned["fetch_local_model"] == planned["extract_language_features"] == "29"
    assert "plot_alignment_vs_performance" in planned
    others = [rule for rule in planned if re.match(r"fetch_|score_|evaluate_", rule)]
    assert others == ["fetch_local_model"]
    (tmp_path / "elsewhere").mkdir()
    Path("data/official").rename("elsewhere/here")
    assert "fetch_local_model" in run("-n", "figures", config={"features": {"folder": "elsewhere/here"}})


def test_published_bits_stand_in_and_say_so():
    published = read_numbers(ROOT / "config/published/reference.tsv")
    table = performance_table([], published, ["llama-13b", "llama-30b"])
    (row,) = table.itertuples()
    assert (row.model, row.corpus, row.bits_per_byte) == ("llama-13b", "captions", 1.6205)
    assert row.source == "published: third party, authors' code"
    assert pd.isna(row.bytes)
    scores = [{"model": "a", "corpus": "t", "bytes": 5, "tokens": 2, "bits_per_byte": 2.0, "more": 1}]
    assert performance_table(scores, None, []).to_dict("records") == [
        {"model": "a", "corpus": "t", "bytes": 5, "tokens": 2, "bits_per_byte": 2.0, "source": "this run"}
    ]


@pytest.mark.slow
def test_from_their_files_to_the_figure(tmp_path, monkeypatch):
    """Imported, run, audited: four of the 29; no data set, no model of the hub."""
    monkeypatch.chdir(tmp_path)
    official.make("theirs", FOUR)
    monkeypatch.setattr("prh.share.features.OFFICIAL", str(Path(official.FACTS).absolute()))
    share("import", "theirs")
    metrics = {"metrics": ["mutual_knn@10"]}
    config = {"models": FOUR, "alignment": metrics, "calibration": metrics | {"permutations": 19}}
    config |= {"figures": {"layer_pairs": [], "published": None}, "intervals": {"resamples": 20}}
    run(FIGURE, "tables", config=config)
    drawn = pd.read_csv(FIGURE)
    assert len(drawn) == 4
    assert drawn.set_index("model_x").bits_per_byte["bloomz-560m"].tolist() == [2.0766, 2.0766]
    assert drawn.set_index("model_x").bits_per_byte["llama-30b"].isna().all()
    assert not Path("results/data").exists()
    audited = subprocess.run([SNAKEMAKE[0], str(ROOT / "scripts/audit.py")], capture_output=True, text=True)
    assert audited.returncode == 0, audited.stdout
    table = pd.read_csv("results/audit/audit.csv").set_index("artifact")
    reasons = table.reason.astype(str)
    assert reasons.str.contains("all layers: differ by 0e+00", regex=False).any()
    assert reasons.str.contains(
        "files of its user are as they were, imported from theirs (digests of the authors' list)", regex=False
    ).any()
