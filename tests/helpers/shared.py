"""A run as small as can be, with records, to publish and to import: two models' features of one data set, a table, a figure, its crate."""

import csv
import json
import runpy
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors.torch import save_file

from helpers.project import ROOT
from prh.audit.crate import export
from prh.errors import InputError
from prh.provenance import record, record_path, write_json, write_manifest

sys.path.insert(0, str(ROOT / "tests" / "rehearsal"))
from loopback import Fault, Handler, Hub  # noqa: F401, for the tests

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
FREE, OWN = "apache-2.0", "other (their own, non-commercial)"
FEATURES = {name: f"results/features/pairs/{name}.safetensors" for name in ("free", "own")}
TABLE = "results/tables/performance.csv"
LICENCES = "results/tables/licences.csv"
UNDER = f'kind,name,licence\ndata set,pairs,CC-BY-SA-4.0 (pictures) and MIT (words)\nmodel,free,{FREE}\nmodel,own,"{OWN}"\n'
NUMBERS = "model,corpus,bytes,tokens,bits_per_byte,source\nfree,captions,,,0.123456,published: a paper\n"


def put(name, rule, inputs=(), **params):
    """The record of an artifact that is there, below the working directory."""
    path = record_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record(rule, inputs, {name: name}, params, 1.0, BEGAN))


def make_run(pairs=6):
    """Make it in the working directory, its crate included."""
    for name in ("free", "own"):
        folder = Path("results/models", name)
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        write_manifest(folder, model=name)
        put(str(folder), "fetch_hub_model", row={"name": name})
    data = Path("results/data/pairs")
    data.mkdir(parents=True)
    (data / "LICENCE.txt").write_text("free")
    write_manifest(data, pairs=pairs)
    put(str(data), "fetch_dataset", row={"name": "pairs"})
    for seed, (name, path) in enumerate(FEATURES.items()):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save_file({"layer0": torch.randn(pairs, 3, generator=torch.Generator().manual_seed(seed))}, path)
        put(path, "extract_language_features", [f"results/models/{name}", str(data)])
    for name, text in ((TABLE, NUMBERS), (LICENCES, UNDER), ("figures/a.png", "picture")):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
        put(
            name,
            "tabulate_performance",
            unscored=["free"],
            licences=[*csv.reader(UNDER.splitlines()[1:])],
        )
    pack()


def pack(large=False):
    """Make its crate."""
    export(Path(), ROOT, {"title": "small {run}"}, "results/crate.zip", "small", large)
    put("results/crate.zip", "crate", [TABLE, "figures/a.png"])


def imported(folder="."):
    """The list of imports of a run."""
    return json.loads(Path(folder, "results/imported.json").read_text())["imports"]


def share(*arguments):
    """Run the command `scripts/share.py`; its one line of an error is raised as `InputError`."""
    kept, sys.argv = sys.argv, ["share.py", *arguments]
    try:
        runpy.run_path(str(ROOT / "scripts/share.py"), run_name="__main__")
    except SystemExit as error:
        raise InputError(error.code) from None
    finally:
        sys.argv = kept


def lead_here(hub, home, monkeypatch):
    """Lead the hub's client in this process to a loopback hub, with a token that may write; it does not wait between attempts."""
    from huggingface_hub import constants

    for name, value in hub.environment(home, HF_TOKEN="hf_write").items():
        monkeypatch.setenv(name, value)
    place = f"{hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    facts = {"ENDPOINT": hub.address, "HUGGINGFACE_CO_URL_TEMPLATE": place, "HF_HUB_CACHE": str(home)}
    for name, value in {**facts, "HF_HUB_DISABLE_XET": True}.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
