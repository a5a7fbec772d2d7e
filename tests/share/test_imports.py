"""What others published is imported: from a path, an address, a folder of features; whole and checked, or not at all."""

import os
import shutil
import zipfile
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest

from helpers import official, shared
from helpers.project import ROOT
from helpers.shared import Fault, Hub, share
from prh.audit import audit, findings
from prh.errors import InputError
from prh.provenance import file_digest
from prh.share.fetch import KEPT
from prh.sources import download

STEP = 300_000  # bytes of a part that comes before a break
CRATE = "hub/datasets/alice/run/main/crate.zip"


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The folder of a run with two crates, one with its features."""
    folder = tmp_path_factory.mktemp("packed")
    with chdir(folder):
        shared.make_run()
        shutil.copy("results/crate.zip", "small.zip")
        shared.pack(large=True)
    return folder


@pytest.fixture
def bob(tmp_path, monkeypatch):
    """An empty working directory."""
    (tmp_path / "bob").mkdir()
    monkeypatch.chdir(tmp_path / "bob")
    monkeypatch.setattr(download, "PAUSE", 0)
    return tmp_path / "bob"


@pytest.fixture
def served(bob, packed, monkeypatch):
    """The crate at an address, and who serves it: 3 MB, so that it can break."""
    path = bob.parent / CRATE
    path.parent.mkdir(parents=True)
    shutil.copy(packed / "small.zip", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("noise.bin", os.urandom(3 << 20))
    hub = Hub(bob.parent / "hub")
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    yield hub, f"{hub.address}/datasets/alice/run/resolve/main/crate.zip"
    hub.close()


@pytest.mark.parametrize("form", ["file", "unpacked", "run"])
def test_from_a_path(form, packed, bob, capsys):
    source = {"file": packed / "small.zip", "unpacked": bob.parent / "open", "run": packed}[form]
    if form == "unpacked":
        shutil.unpack_archive(packed / "small.zip", source)
    share("import", str(source))
    said = capsys.readouterr().out
    assert "  model own: other (their own, non-commercial)\n" in said
    assert Path(shared.TABLE).read_text() == shared.NUMBERS
    assert Path(shared.FEATURES["own"]).exists() is (form == "run")
    (source_,) = shared.imported()
    assert source_["from"] == str(source)
    assert source_["pin"].startswith("sha256:")
    assert not Path("results/models").exists()
    assert Path("results/records/results/models/own.json").is_file()
    assert not Path("figures").exists()


def test_the_audit_names_where_it_came_from(packed, bob):
    share("import", str(packed / "small.zip"))
    found = {finding.artifact: finding for finding in audit.audit(bob, samples=0)}
    pin = f"sha256:{file_digest(packed / 'small.zip')}"
    assert f"imported from {packed / 'small.zip'} ({pin})" in found[shared.TABLE].reason
    absent = found[shared.FEATURES["own"]]
    assert (absent.verdict, absent.reason) == ("absent", "not imported, only its record was")
    assert [f.artifact for f in findings.failures(found.values())] == []
    Path(shared.TABLE).write_text(shared.NUMBERS.replace("0.123456", "0.9"))
    bad = findings.failures(audit.audit(bob, samples=0))
    assert [finding.artifact for finding in bad] == [shared.TABLE]


def test_a_damaged_list_of_imports_fails_the_audit(packed, bob):
    share("import", str(packed / "small.zip"))
    Path("results/imported.json").write_text("{}")
    assert "results/imported.json" in [f.artifact for f in findings.failures(audit.audit(bob, samples=0))]


def test_again_and_with_more(packed, bob):
    share("import", str(packed / "small.zip"))
    before = Path("results/imported.json").read_bytes()
    share("import", str(packed / "small.zip"))
    assert Path("results/imported.json").read_bytes() == before
    share("import", str(packed / "results/crate.zip"))
    assert Path(shared.FEATURES["own"]).is_file()
    assert len(shared.imported()) == 2


def test_a_busy_address_is_left_alone_as_long_as_it_asks(served, monkeypatch):
    hub, address = served
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    hub.faults.append(Fault("status", "/store/", code=429, after="7"))
    share("import", address)
    assert slept == [7]
    assert Path(shared.TABLE).read_text() == shared.NUMBERS


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", "/store/", code=503),
        Fault("drop", "/store/"),
        Fault("cut", "/store/", bytes=2 << 20),
        Fault("status", "/resolve/", code=500, times=2),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.match.strip('/')}",
)
def test_from_an_address_through_faults(served, fault):
    hub, address = served
    hub.faults.append(fault)
    digest = file_digest(Path("..") / CRATE)
    share("import", f"{address}#sha256={digest}")
    assert fault.times == 0
    assert [(s["from"], s["pin"]) for s in shared.imported()] == [(address, f"sha256:{digest}")]
    assert not KEPT.exists()
    spans = [span for _, path, span in hub.requests if "/store/" in path]
    assert spans == [None, f"bytes={2 << 20}-"] if fault.kind == "cut" else spans[-1] is None


def test_a_break_is_gone_on_with_by_the_next_call(served):
    hub, address = served
    hub.faults.append(Fault("cut", "/store/", bytes=STEP, times=5))
    with pytest.raises(
        InputError, match=r"could not be fetched .*; what is there is kept, run again to go on"
    ):
        share("import", address)
    assert (KEPT / "crate.zip.part").stat().st_size == 5 * STEP
    share("import", address)
    assert hub.requests[-1][2] == f"bytes={5 * STEP}-"
    assert shared.imported()[0]["pin"] == f"sha256:{file_digest(Path('..') / CRATE)}"


def test_another_file_is_not_joined_to_the_begin_of_the_first(served):
    hub, address = served
    hub.faults.append(Fault("cut", "/store/", bytes=STEP, times=5))
    with pytest.raises(InputError, match="could not be fetched"):
        share("import", address)
    with zipfile.ZipFile(Path("..") / CRATE, "a") as archive:
        archive.writestr("more.bin", os.urandom(100))
    share("import", address)
    assert shared.imported()[0]["pin"] == f"sha256:{file_digest(Path('..') / CRATE)}"


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (f"#sha256={'0' * 64}", "its SHA-256 is .*, 0{64} was asked for; nothing is kept of it"),
        (".gone", "404 Not Found; correct the address"),
    ],
)
def test_what_is_not_the_file_that_was_meant(served, end, says):
    _, address = served
    with pytest.raises(InputError, match=says):
        share("import", address + end)
    assert not list(Path().rglob("*.part"))
    assert not Path("results").exists()


def test_damage_on_the_way_is_found_by_the_digest(served):
    hub, address = served
    hub.faults.append(Fault("corrupt", "/store/", times=99))
    with pytest.raises(InputError, match="its SHA-256 is"):
        share("import", f"{address}#sha256={file_digest(Path('..') / CRATE)}")
    assert not Path("results").exists()


@pytest.mark.parametrize("listed", [True, False])
def test_a_folder_of_features(listed, bob, capsys):
    Path("given").mkdir()
    for name in ("a", "b"):
        np.save(f"given/{name}.npy", np.ones((3, 2)))
    if listed:
        lines = [f"{file_digest(f'given/{name}.npy')}  {name}.npy" for name in ("a", "b")]
        Path("given/SHA256SUMS").write_text("\n".join(lines) + "\n")
    share("import", "given")
    said = capsys.readouterr().out
    assert (
        "2 files of features. Licence: not stated\nNow: python scripts/add.py model data/features/a.npy "
        in said
    )
    (source,) = shared.imported()
    assert source["pin"] == ("digests of SHA256SUMS" if listed else "")
    assert source["artifacts"] == {
        f"data/features/{n}.npy": file_digest(f"given/{n}.npy") for n in ("a", "b")
    }
    share("import", "given")


def test_features_from_a_hub_say_their_licence_and_commit(served, capsys, monkeypatch):
    hub, _ = served
    folder = hub.root / "datasets/carol/features/main"
    (folder / "sub").mkdir(parents=True)
    np.save(folder / "sub/a.npy", np.ones((3, 2)))
    (folder / "README.md").write_text("---\npretty_name: x\nlicense: cc-by-4.0\n---\n# x\n")
    shared.lead_here(hub, Path("home"), monkeypatch)
    share("import", "carol/features")
    assert "1 files of features. Licence: cc-by-4.0" in capsys.readouterr().out
    assert shared.imported()[0]["pin"].startswith("commit:")


def test_the_authors_files_are_known_by_their_names_and_digests(bob, capsys, monkeypatch):
    official.make("given", ["bloomz-560m", "vit_tiny_patch16_224.augreg_in21k"], pairs=8)
    monkeypatch.setattr("prh.share.features.OFFICIAL", str(Path(official.FACTS).absolute()))
    share("import", "given")
    said = capsys.readouterr().out
    assert "data/official/bigscience_bloomz-560m_pool-avg.pt\n" in said
    assert "Licence: none is stated in the authors' repository\nNow: snakemake " in said
    assert shared.imported()[0]["pin"] == "digests of the authors' list"
    name = "bigscience_bloomz-560m_pool-avg.pt"
    assert Path("given", name).samefile(Path("data/official", name))
    assert (ROOT / "config/official.yaml").is_file()
