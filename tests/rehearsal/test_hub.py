"""The hub's client under faults, against a loopback hub: what arrives is whole, or nothing arrives and one line says why."""

import io
import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pyarrow as pa
import pytest
from loopback import Fault, Hub
from PIL import Image
from pyarrow import parquet

from helpers.project import ROOT
from prh.sources import datasets

WEIGHTS = os.urandom(200_000)
FETCH = """
import json, sys
sys.path.insert(0, {scripts!r})
from prh.sources import hub
from prh.sources.model_files import model_files
from prh.errors import InputError
try:
    found = hub.{call}
    print(json.dumps([str(found.folder), found.repo, found.commit, found.verified]))
except InputError as error:
    print(error)
    raise SystemExit(1)
"""

MAKE = """
import sys
from types import SimpleNamespace
sys.path.insert(0, {scripts!r})
from prh.sources import datasets, hub_pairs
from prh.errors import InputError
try:
    row, out = {call}
    hub_pairs.make(SimpleNamespace(**row), [], 0, out)
    print(len(datasets.read_captions(out)), "pairs")
except InputError as error:
    print(error)
    raise SystemExit(1)
"""


@pytest.fixture
def served(tmp_path):
    """A hub with a model and a data set, and a function that fetches in a process of its own."""
    for kind, name, file in (
        ("models", "org/model", "model.safetensors"),
        ("models", "org/gated", "model.safetensors"),
        ("datasets", "org/pairs", "data/train.parquet"),
        ("datasets", "org/mirror", "data/train.parquet"),
    ):
        path = tmp_path / "hub" / kind / name / "main" / file
        path.parent.mkdir(parents=True)
        path.write_bytes(WEIGHTS)
        (path.parents[file.count("/")] / "config.json").write_text("{}")
    (tmp_path / "hub/models/org/gated/GATED").touch()
    (tmp_path / "hub/models/org/model/main/notes.bin").write_bytes(b"not needed")
    hub = Hub(tmp_path / "hub")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}

    def run(call="fetch('org/model', 'main', model_files, pause=0.01)", code=FETCH, **variables):
        environment = {**clean, **hub.environment(tmp_path / "home", **variables)}
        code = code.format(scripts=str(ROOT / "scripts"), call=call)
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
        )
        lines = done.stdout.splitlines()
        assert len(lines) == 1, done.stdout + done.stderr
        return SimpleNamespace(ok=done.returncode == 0, said=lines[0], log=done.stderr)

    yield SimpleNamespace(hub=hub, fetch=run, home=tmp_path / "home")
    hub.close()


def weights(done):
    """The fetched weights."""
    folder, *_ = json.loads(done.said)
    return (ROOT / folder / "model.safetensors").read_bytes()


def test_only_what_is_needed_and_only_once(served):
    done = served.fetch()
    assert done.ok, done.said
    assert weights(done) == WEIGHTS
    assert json.loads(done.said)[3] is True
    assert not any("notes.bin" in path for _, path, _ in served.hub.requests if "resolve" in path)
    served.hub.requests.clear()
    assert weights(served.fetch()) == WEIGHTS
    assert not any("store" in path for _, path, _ in served.hub.requests)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", "store", code=503, times=2),
        Fault("status", "/api/", code=503),
        Fault("status", "store", code=429),
        Fault("drop", "store"),
        Fault("cut", "store", bytes=50_000),
        Fault("corrupt", "store"),
        Fault("slow", "store", seconds=1),
        Fault("etag", "model.safetensors", method="HEAD"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.match.strip('/')}-{fault.code if fault.kind == 'status' else ''}",
)
def test_a_passing_fault_is_survived(served, fault):
    served.hub.faults.append(fault)
    done = served.fetch()
    assert done.ok, done.said
    assert weights(done) == WEIGHTS
    assert fault.times == 0


def test_a_cut_off_body_goes_on_where_it_ended(served):
    large = os.urandom(1 << 20) * 12  # the client keeps what it has in pieces of 10 MiB
    (served.hub.root / "models/org/model/main/model.safetensors").write_bytes(large)
    served.hub.faults.append(Fault("cut", "store", bytes=11 << 20))
    assert weights(served.fetch()) == large
    assert any(
        span and span.startswith("bytes=") and span != "bytes=0-" for _, _, span in served.hub.requests
    )


def test_damage_that_does_not_pass_is_refused(served):
    served.hub.faults.append(Fault("corrupt", "store", times=99))
    done = served.fetch("fetch('org/model', 'main', model_files, attempts=2, pause=0.01)")
    assert not done.ok
    assert "the checksum of model.safetensors is not the hub's" in done.said
    assert not [path for path in served.home.rglob("model.safetensors") if path.exists()]


def test_a_hub_that_is_gone_half_way_leaves_nothing_that_passes_for_whole(served):
    served.hub.faults.append(Fault("drop", "store", times=999))
    done = served.fetch("fetch('org/model', 'main', model_files, attempts=2, pause=0.01)")
    assert not done.ok
    assert "could not be fetched" in done.said
    served.hub.faults.clear()
    offline = served.fetch(HF_HUB_OFFLINE="1")
    assert not offline.ok
    assert "is not complete in the cache" in offline.said
    assert weights(served.fetch()) == WEIGHTS


def test_offline_takes_what_was_fetched(served):
    assert served.fetch().ok
    served.hub.faults.append(Fault("drop", "", times=999))
    done = served.fetch(HF_HUB_OFFLINE="1")
    assert weights(done) == WEIGHTS
    assert json.loads(done.said)[3] is False  # the hub could not be asked for its checksums


def test_a_gated_model_says_where_its_licence_is(served):
    call = "fetch('org/gated', 'main', model_files, what='model table, row `g`')"
    done = served.fetch(call)
    assert not done.ok
    assert done.said.startswith("model table, row `g`: org/gated is gated: accept its licence at ")
    assert f"{served.hub.address}/org/gated, then set HF_TOKEN" in done.said
    assert served.fetch(call, HF_TOKEN="hf_token").ok


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("fetch('org/none', 'main')", "no such repository, or a private one"),
        ("fetch('org/model', 'v9')", "org/model has no revision `v9`; correct it"),
        ("fetch('org/pairs', 'main', model_files, 'dataset')", "no model.safetensors"),
    ],
)
def test_what_is_not_there(served, call, message):
    began = time.monotonic()
    done = served.fetch(call)
    assert not done.ok
    assert message in done.said
    assert time.monotonic() - began < 8  # no retries


def test_the_mirror_stands_in(served):
    call = "fetch_or_mirror('org/pairs', 'main', 'org/mirror@main', kind='dataset', attempts=2, pause=0.01)"
    assert json.loads(served.fetch(call).said)[1] == "org/pairs"
    gone = call.replace("org/pairs", "org/gone")
    done = served.fetch(gone)
    assert json.loads(done.said)[1] == "org/mirror"
    assert "taking the mirror org/mirror@main" in done.log
    neither = served.fetch(gone.replace("org/mirror", "org/nor"))
    assert "org/gone" in neither.said
    assert "And its mirror: " in neither.said


def test_another_hub_has_a_cache_of_its_own(served):
    assert served.fetch().ok
    assert list(served.home.glob("hub/endpoints/*/models--org--model"))
    assert not list(served.home.glob("hub/models--*"))


def test_splits_of_a_data_set(served, tmp_path):
    """Of training and test data neither is taken by itself, nor both: a message lists them, `split` or `files` names one."""
    image = io.BytesIO()
    Image.new("RGB", (4, 4)).save(image, "PNG")
    for split, count in (("train", 14), ("test", 6)):
        rows = [{"image": {"bytes": image.getvalue()}, "text": [f"{split} {i}"]} for i in range(count)]
        path = served.hub.root / f"datasets/org/splits/main/data/{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.Table.from_pylist(rows), path)
    row = {
        "name": "mine",
        "repo": "org/splits",
        "revision": "main",
        "mirror": "",
        "licence": "mine",
        "size": None,
    }
    row |= dict.fromkeys(("files", "split", "columns", "captions", "caption_index", "take"))

    def made(name, **cells):
        return served.fetch(repr((row | cells, str(tmp_path / name))), MAKE).said

    assert "splits test, train: name one in `files` of the data set table, as in data/train*" in made("a")
    assert made("b", split="test") == "6 pairs"
    assert made("c", files="data/train*") == "14 pairs"
    assert "of the split `val`" in made("d", split="val")


def test_the_first_rows_of_many_files(served, tmp_path):
    """Of a subset in five files only those are fetched that hold the first pairs with a caption; a second data set takes more of them."""
    image = io.BytesIO()
    Image.new("RGB", (4, 4)).save(image, "PNG")
    top = served.hub.root / "datasets/org/many/main"
    for number in range(5):
        texts = [f"{number}.{i}" if i % 2 else "" for i in range(6)]
        rows = [{"image": {"bytes": image.getvalue()}, "original_caption": text} for text in texts]
        path = top / f"wit_1m/train-{number:05d}-of-00005.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.Table.from_pylist(rows), path)
    (top / "wit_1024").mkdir()
    (top / "wit_1024/train-00000-of-00001.parquet").write_bytes(b"not of the subset")
    row = {"name": "mine", "repo": "org/many", "revision": "main", "mirror": "", "licence": "mine"}
    row |= dict.fromkeys(("split", "captions", "caption_index"))
    row |= {"files": "wit_1m/*", "columns": "image original_caption", "take": "first"}

    def made(size):
        served.hub.requests.clear()
        done = served.fetch(repr((row | {"size": size}, str(tmp_path / str(size)))), MAKE)
        files = {
            path.split("/")[-1][:11]
            for _, path, _ in served.hub.requests
            if "resolve" in path and "train" in path
        }
        return done.said, files

    assert made(5) == ("5 pairs", {"train-00000", "train-00001"})
    said, files = made(12)
    assert said == "12 pairs"
    assert {"train-00002", "train-00003"} <= files
    assert "train-00004" not in files
    captions = datasets.read_captions(tmp_path / "12").caption.tolist()
    assert captions == [f"{file}.{i}" for file in range(4) for i in (1, 3, 5)]
    assert "the data set has 15 pairs, not 99" in made(99)[0]
