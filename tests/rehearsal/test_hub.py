"""The hub's client under faults, against a loopback hub: what arrives is whole, or nothing arrives and one line says why."""

import io
import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from loopback import Fault, Hub
from PIL import Image
from pyarrow import parquet

from helpers.project import ROOT
from prh.provenance import file_digest
from prh.sources.datasets import read_captions

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
        ("fetch('org/model', 'v9')", "org/model has no revision `v9`; correct the column `revision`"),
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


def pairs_of(served, name, counts):
    """A repository of Parquet files with so many pairs each, whose images are noise, and the row of it."""
    rng, number = np.random.default_rng(0), 0
    for part, count in enumerate(counts):
        rows = []
        for _ in range(count):
            image = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(image, "PNG")
            rows.append({"image": {"bytes": image.getvalue()}, "text": [f"picture {number}"]})
            number += 1
        path = served.hub.root / f"datasets/{name}/main/data/train-{part:05d}-of-{len(counts):05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.Table.from_pylist(rows), path)
    cells = dict.fromkeys(("files", "split", "columns", "captions", "caption_index", "size"))
    return {"name": "mine", "repo": name, "revision": "main", "mirror": "", "licence": "mine", **cells}


def whole_files(served):
    """The Parquet files that the hub was asked for as wholes."""
    asked = [
        (path, span) for method, path, span in served.hub.requests if method == "GET" and "/store/" in path
    ]
    return sorted({path[-22:-8] for path, span in asked if not span or span.startswith("bytes=0-")})


def test_of_a_large_data_set_only_the_files_with_the_first_pairs_are_fetched(served, tmp_path):
    row = pairs_of(served, "org/large", [20, 20, 20, 20])
    done = served.fetch(repr((row | {"size": 30}, str(tmp_path / "some"))), MAKE)
    assert done.said == "30 pairs"
    assert whole_files(served) == ["00000-of-00004", "00001-of-00004"]
    assert not any("00002-of" in path or "00003-of" in path for _, path, _ in served.hub.requests)
    table = read_captions(tmp_path / "some")
    assert table.caption.tolist() == [f"picture {i}" for i in range(30)]
    manifest = json.loads((tmp_path / "some/manifest.json").read_text())
    there = served.hub.root / "datasets/org/large/main"
    assert manifest["parquet"] == {
        f"data/train-0000{i}-of-00004.parquet": file_digest(there / f"data/train-0000{i}-of-00004.parquet")
        for i in range(2)
    }
    assert manifest["checksums_verified"] is True
    assert not list(served.home.rglob("train-00002-of-00004.parquet"))


def test_more_pairs_later_fetch_only_what_is_lacking(served, tmp_path):
    row = pairs_of(served, "org/large", [20, 20, 20, 20])
    assert served.fetch(repr((row | {"size": 20}, str(tmp_path / "a"))), MAKE).said == "20 pairs"
    assert whole_files(served) == ["00000-of-00004"]
    served.hub.requests.clear()
    assert served.fetch(repr((row | {"size": 60}, str(tmp_path / "b"))), MAKE).said == "60 pairs"
    assert whole_files(served) == ["00001-of-00004", "00002-of-00004"]
    offline = served.fetch(repr((row | {"size": 41}, str(tmp_path / "c"))), MAKE, HF_HUB_OFFLINE="1")
    assert offline.said == "41 pairs"
    beyond = served.fetch(repr((row | {"size": 61}, str(tmp_path / "d"))), MAKE, HF_HUB_OFFLINE="1")
    assert not beyond.ok
    assert "is not complete in the cache" in beyond.said


@pytest.mark.parametrize(
    "fault", [Fault("status", "00001-of", code=503), Fault("cut", "00001-of", bytes=5000)], ids=["503", "cut"]
)
def test_a_large_data_set_under_a_passing_fault(served, tmp_path, fault):
    row = pairs_of(served, "org/large", [20, 20, 20])
    served.hub.faults.append(fault)
    assert served.fetch(repr((row | {"size": 40}, str(tmp_path / "a"))), MAKE).said == "40 pairs"
    assert fault.times == 0


def test_fewer_pairs_than_asked_for(served, tmp_path):
    row = pairs_of(served, "org/large", [20, 20])
    done = served.fetch(repr((row | {"size": 41}, str(tmp_path / "a"))), MAKE)
    assert not done.ok
    assert "the data set has 40 pairs, not 41; correct `revision` or `size`" in done.said


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
    row |= dict.fromkeys(("files", "split", "columns", "captions", "caption_index"))

    def made(name, **cells):
        return served.fetch(repr((row | cells, str(tmp_path / name))), MAKE).said

    assert "splits test, train: name one in `files` of the data set table, as in data/train*" in made("a")
    assert made("b", split="test") == "6 pairs"
    assert made("c", files="data/train*") == "14 pairs"
    assert "of the split `val`" in made("d", split="val")
