"""A run is published on a hub: whole or not at all, what licences allow, and others start from it. The hub is the loopback one."""

import re
from pathlib import Path

import pytest

from helpers import shared
from helpers.shared import Fault, Hub, share
from prh.errors import InputError
from prh.provenance import file_digest
from prh.share.licences import is_free

REPO = "alice/run"


@pytest.fixture
def hub(alice, tmp_path, monkeypatch):
    """A hub with nothing, for the client in this process; the working directory is alice's."""
    (tmp_path / "hub").mkdir()
    found = Hub(tmp_path / "hub")
    shared.lead_here(found, tmp_path / "home", monkeypatch)
    yield found
    found.close()


def there(hub, repo=REPO):
    """Files of a repository, by their place."""
    main = hub.root / "datasets" / repo / "main"
    return {path.relative_to(main).as_posix(): path for path in sorted(main.rglob("*")) if path.is_file()}


def test_crate_card_figures_and_what_licences_allow(hub, capsys):
    share("publish", REPO, "--features", "all")
    said = capsys.readouterr().out
    why = f"the model `own` is under `{shared.OWN}`"
    assert f"left out: {shared.FEATURES['own']}: {why}" in said
    found = there(hub)
    assert [*found] == ["README.md", "crate.zip", "features/pairs/free.safetensors", "figures/a.png"]
    card = found["README.md"].read_text()
    assert card.startswith('---\npretty_name: "Platonic representations: small {run}"\n')
    for line in (
        f"    make import FROM={REPO}",
        "![a](figures/a.png)",
        "| free | captions |  |  | 0.1235 | published: a paper |",
        f"| `crate.zip` | {found['crate.zip'].stat().st_size} | `{file_digest('results/crate.zip')}` |",
        f"| model `own` | {shared.OWN} |",
        f"- `{shared.FEATURES['own']}`: {why}",
    ):
        assert f"\n{line}\n" in card


def test_others_start_from_it_and_what_they_took_is_pinned(hub, capsys, monkeypatch, tmp_path):
    share("publish", REPO, "--features", "free")
    commit = re.search(r"@([0-9a-f]{40})", capsys.readouterr().out)[1]
    monkeypatch.chdir(tmp_path / "bob")
    share("import", REPO)
    assert not Path("results/features").exists()
    share("import", f"{REPO}@{commit}", "--features", "all")
    assert "own: other (their own, non-commercial)" in capsys.readouterr().out
    for name in (shared.TABLE, shared.FEATURES["free"]):
        assert Path(name).read_bytes() == (tmp_path / "alice" / name).read_bytes()
    first, second = shared.imported()
    assert (first["from"], first["pin"], second["pin"]) == (REPO, f"commit:{commit}", f"commit:{commit}")
    assert shared.FEATURES["free"] not in first["artifacts"]
    assert second["artifacts"][shared.FEATURES["free"]] == file_digest(shared.FEATURES["free"])
    assert "results/records/results/models/own.json" in second["records"]
    with pytest.raises(InputError, match=f"import: {REPO}: has no features of `own`; it has those of: free"):
        share("import", REPO, "--features", "own")


def test_again_sends_what_is_new_and_removes_what_is_not_there_any_more(hub):
    share("publish", REPO, "--features", "free")
    hub.requests.clear()
    Path("figures/a.png").rename("figures/b.png")
    shared.put("figures/b.png", "plot")
    Path("results/records/figures/a.png.json").unlink()
    shared.pack()
    shared.put("results/crate.zip", "crate", [shared.TABLE, "figures/b.png"])
    share("publish", REPO)
    assert [*there(hub)] == ["README.md", "crate.zip", "figures/b.png"]
    assert sum(method == "PUT" for method, *_ in hub.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", "/preupload/", method="POST", code=503),
        Fault("status", "/objects/batch", method="POST", code=500),
        Fault("status", "/upload/", method="PUT", code=502),
        Fault("drop", "/upload/", method="PUT"),
        Fault("corrupt", "/upload/", method="PUT"),
        Fault("status", "/commit/", method="POST", code=500),
        Fault("status", "/repos/create", method="POST", code=429),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.match.strip('/').replace('/', '-')}",
)
def test_a_passing_fault_is_survived(hub, fault):
    hub.faults.append(fault)
    share("publish", REPO, "--features", "free")
    assert fault.times == 0
    assert file_digest(there(hub)["features/pairs/free.safetensors"]) == file_digest(shared.FEATURES["free"])


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault("status", "/commit/", method="POST", code=503, times=99), "could not be published"),
        (Fault("corrupt", "/upload/", method="PUT", times=99), "could not be published"),
        (Fault("drop", "/preupload/", method="POST", times=99), "could not be published"),
    ],
    ids=["commit", "corrupt", "drop"],
)
def test_a_fault_that_stays_leaves_nothing_to_be_seen(hub, fault, says):
    hub.faults.append(fault)
    with pytest.raises(InputError, match=f"{says} .*; nothing of it is seen there, run again to go on"):
        share("publish", REPO, "--features", "free")
    assert there(hub) == {}


@pytest.mark.parametrize(
    ("token", "repo", "says"),
    [
        ("", REPO, r"the hub refuses \(401\); set HF_TOKEN to a token that may write there"),
        ("hf_read", REPO, r"the hub refuses \(403\); set HF_TOKEN"),
        ("hf_write", "others/run", r"the hub refuses \(403\); set HF_TOKEN"),
        ("hf_write", "run", "run: name a repository of the hub, ORGANISATION/NAME"),
    ],
)
def test_who_may_not_write_is_told(hub, monkeypatch, token, repo, says):
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: token or None)
    with pytest.raises(InputError, match=says):
        share("publish", repo)
    assert not (hub.root / "datasets").exists()


def edit(path):
    return lambda: Path(path).write_text("edited")


@pytest.mark.parametrize(
    ("change", "features", "says"),
    [
        (
            lambda: Path("results/crate.zip").unlink(),
            "",
            "results/crate.zip: no such file; pack the run first: make crate",
        ),
        (edit("results/crate.zip"), "", "results/crate.zip: not what its record says; pack the run again"),
        (edit(shared.TABLE), "", "results/crate.zip: results/tables/performance.csv has changed since; pack"),
        (
            lambda: shared.pack(large=True),
            "",
            "results/crate.zip: holds results/.*; set `crate.features` to false",
        ),
        (lambda: None, "none", "no features of `none` are here; name some of free, own"),
        (
            lambda: None,
            "own",
            "own.safetensors is not published: the model `own` is under `other .*--accept NAME",
        ),
        (edit(shared.FEATURES["free"]), "free", "free.safetensors: not what .* says; make it anew"),
    ],
    ids=[
        "no-crate",
        "crate-edited",
        "table-edited",
        "crate-with-features",
        "no-model",
        "forbidden",
        "features-edited",
    ],
)
def test_what_cannot_be_published_is_said_before_anything_is_sent(hub, change, features, says):
    change()
    with pytest.raises(InputError, match=says):
        share("publish", REPO, "--features", features)
    assert hub.requests == []


def test_who_has_read_a_licence_can_say_that_it_allows_it(hub):
    share("publish", REPO, "--features", "own", "--accept", "own")
    assert "features/pairs/own.safetensors" in there(hub)
    assert "\nOf own the publisher says that the licence allows" in there(hub)["README.md"].read_text()


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("Apache-2.0", True),
        ("BSD-3-Clause, MIT", True),
        ("cc-by-4.0", True),
        ("public domain (text)", True),
        ("CC-BY-NC-4.0", False),
        ("MIT, Gemma terms of use", False),
        ("see the data set card", False),
        ("your own", False),
    ],
)
def test_free_licences(licence, free):
    assert is_free(licence) is free
