"""A run becomes a draft on Zenodo: what licences allow, gone on with after a fault; published there, others start from it.

The Zenodo is a stand-in, `helpers.zenodo`; none of this was ever done on the real one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from helpers import shared
from helpers.project import ROOT
from helpers.shared import Fault, share
from helpers.zenodo import Zenodo
from prh.errors import InputError
from prh.provenance import file_digest
from prh.share import zenodo as module
from prh.share.publish import Parcel

TOKEN = "a-secret-token"
WHO = ("--creator", "Doe, Alice")
FREE = "features--pairs--free.safetensors"
ALL = ["README.md", "crate.zip", FREE, "figures--a.png"]


@pytest.fixture
def zenodo(alice, tmp_path, monkeypatch):
    """A Zenodo without drafts; the working directory is alice's, and her token is set."""
    found = Zenodo(tmp_path / "zenodo")
    monkeypatch.setenv("ZENODO_TOKEN", TOKEN)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    yield found
    found.close()


def give(zenodo, *arguments, to=None):
    """Publish to a new draft, or to one; alice says who she is."""
    share("publish", to or zenodo.address, *WHO, *arguments)


def files(zenodo, number=1000):
    """The files of a draft, by their names."""
    return {path.name: path for path in sorted((zenodo.root / str(number)).iterdir())}


def press_publish(zenodo, number=1000):
    """What a draft's owner does on its page."""
    place = f"{zenodo.address}/api/deposit/depositions/{number}/actions/publish"
    headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": "browser"}
    answer = requests.post(place, headers=headers, timeout=10)
    assert answer.status_code == 202, answer.text


def sent(zenodo):
    """Names of the files that were sent, in order."""
    return [
        path.split("/")[-1]
        for method, path, _ in zenodo.requests
        if method == "PUT" and "/api/files/" in path
    ]


def source(zenodo, number=1000):
    digest = file_digest("results/crate.zip")
    return f"{zenodo.address}/records/{number}/files/crate.zip#sha256={digest}"


def test_a_draft_has_the_files_that_licences_allow_and_is_not_published(zenodo, capsys):
    give(zenodo, "--features", "all")
    said = capsys.readouterr().out
    page = f"{zenodo.address}/uploads/1000"
    why = f"the model `own` is under `{shared.OWN}`"
    for line in (
        f"draft: {page}",
        f"left out: {shared.FEATURES['own']}: {why}",
        f"3 files and the card: a draft, which only you see: {page}",
        "Look at it, fill in what is missing, and press Publish there. A DOI cannot be taken back, so this is left to you.",
        f"To go on with the draft before that: make publish TO={page}",
        f"To start from it, once it is published: make import FROM={source(zenodo)}",
    ):
        assert line in said.splitlines()
    assert [*files(zenodo)] == ALL
    assert file_digest(files(zenodo)[FREE]) == file_digest(shared.FEATURES["free"])
    (deposit,) = zenodo.deposits.values()
    assert not deposit.submitted
    assert not any("publish" in path for _, path, _ in zenodo.requests)
    assert not any(TOKEN in path or "?" in path for _, path, _ in zenodo.requests)


def test_the_card_says_how_to_start_and_what_joins_names(zenodo):
    give(zenodo, "--features", "all")
    card = files(zenodo)["README.md"].read_text()
    assert card.startswith("# Platonic representations: small {run}\n")
    assert "huggingface" not in card
    for line in (
        f"    make import FROM={source(zenodo)}",
        "![a](figures--a.png)",
        f"| `{FREE}` | {Path(shared.FEATURES['free']).stat().st_size} | `{file_digest(shared.FEATURES['free'])}` |",
        f"| model `own` | {shared.OWN} |",
        "There are no folders here: `--` in a file's name stands for the `/` of its path. To start from features, too, put `crate.zip` and",
        f"- `{shared.FEATURES['own']}`: the model `own` is under `{shared.OWN}`",
    ):
        assert f"\n{line}\n" in card


def test_metadata(zenodo):
    give(zenodo, "--creator", "Roe, Richard", "--features", "all")
    said = zenodo.deposits[1000].metadata
    assert {key: said[key] for key in said if key != "description"} == {
        "title": "Platonic representations: small {run}",
        "upload_type": "dataset",
        "creators": [{"name": "Doe, Alice"}, {"name": "Roe, Richard"}],
        "license": "other-open",
    }
    text = said["description"]
    assert f"<pre>make import FROM={source(zenodo)}</pre>" in text
    assert "<tr><td>model own</td><td>other (their own, non-commercial)</td></tr>" in text
    assert f"<ul><li>{shared.FEATURES['own']}: the model `own` is under `{shared.OWN}`</li></ul>" in text


def test_what_the_description_quotes_is_no_html(zenodo):
    odd = '<b>R&D</b>, "own"'
    Path(shared.LICENCES).write_text(
        f'kind,name,licence\ndata set,pairs,MIT\nmodel,own,"{odd.replace(chr(34), chr(34) * 2)}"\n'
    )
    shared.put(shared.LICENCES, "list_licences")
    shared.pack()
    give(zenodo)
    assert (
        "<td>&lt;b&gt;R&amp;D&lt;/b&gt;, &quot;own&quot;</td>"
        in zenodo.deposits[1000].metadata["description"]
    )


@pytest.mark.parametrize(
    ("arguments", "licence"),
    [
        (("--features", "own", "--accept", "own"), "other-closed"),
        (("--features", "free", "--accept", "own"), "other-open"),
        (("--features", "all", "--accept", "own"), "other-closed"),
    ],
)
def test_what_only_its_publisher_may_pass_on_is_not_called_open(zenodo, arguments, licence):
    give(zenodo, *arguments)
    assert zenodo.deposits[1000].metadata["license"] == licence
    assert ("features--pairs--own.safetensors" in files(zenodo)) is (licence == "other-closed")


@pytest.mark.parametrize("of_git", ["Git User", ""])
def test_without_creators_it_is_who_git_says(zenodo, monkeypatch, tmp_path, of_git):
    (tmp_path / "gitconfig").write_text(f"[user]\n\tname = {of_git}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")  # over what the clone's own says
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", of_git)
    if of_git:
        share("publish", zenodo.address)
        assert zenodo.deposits[1000].metadata["creators"] == [{"name": "Git User"}]
    else:
        with pytest.raises(
            InputError, match=r'name who made the run: --creator "Family, Given", or git config user\.name'
        ):
            share("publish", zenodo.address)
        assert zenodo.requests == []


@pytest.mark.parametrize("form", ["uploads", "deposit"])
def test_a_draft_is_gone_on_with(zenodo, form):
    zenodo.page = form
    give(zenodo, "--features", "free")
    zenodo.deposits[1000].metadata |= {"keywords": ["mine"], "title": "another"}
    (zenodo.root / "1000/notes.txt").write_text("mine")
    zenodo.deposits[1000].files["notes.txt"] = "f-notes"
    zenodo.requests.clear()
    Path("figures/a.png").rename("figures/b.png")
    shared.put("figures/b.png", "plot")
    Path("results/records/figures/a.png.json").unlink()
    shared.pack()
    shared.put("results/crate.zip", "crate", [shared.TABLE, "figures/b.png"])
    give(zenodo, "--features", "free", to=f"{zenodo.address}/{form}/1000")
    assert [*files(zenodo)] == ["README.md", "crate.zip", FREE, "figures--b.png", "notes.txt"]
    assert sent(zenodo) == ["README.md", "crate.zip", "figures--b.png"]
    assert file_digest(files(zenodo)["crate.zip"]) == file_digest("results/crate.zip")
    said = zenodo.deposits[1000].metadata
    assert (said["keywords"], said["title"]) == (["mine"], "Platonic representations: small {run}")
    assert source(zenodo) in said["description"]
    assert [*zenodo.deposits] == [1000]


def test_nothing_new_is_nothing_sent(zenodo):
    give(zenodo)
    zenodo.requests.clear()
    give(zenodo, to=f"{zenodo.address}/uploads/1000/")
    assert [method for method, *_ in zenodo.requests] == ["GET", "PUT"]  # the draft; what is said of it


def test_creators_of_the_draft_stay_unless_others_are_named(zenodo):
    give(zenodo)
    there = [{"name": "Doe, Alice", "orcid": "0000-0002-1825-0097"}]
    zenodo.deposits[1000].metadata["creators"] = there
    share("publish", f"{zenodo.address}/uploads/1000")
    assert zenodo.deposits[1000].metadata["creators"] == there
    give(zenodo, to=f"{zenodo.address}/uploads/1000")
    assert zenodo.deposits[1000].metadata["creators"] == [{"name": "Doe, Alice"}]


def test_what_is_published_is_refused(zenodo):
    give(zenodo)
    press_publish(zenodo)
    zenodo.requests.clear()
    says = f"uploads/1000: is published, its files stay as they are; begin a new draft: TO={zenodo.address}"
    with pytest.raises(InputError, match=says):
        give(zenodo, "--features", "free", to=f"{zenodo.address}/uploads/1000")
    assert [method for method, *_ in zenodo.requests] == ["GET"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", "/depositions", method="POST", code=429),
        Fault("drop", "/depositions", method="POST"),
        Fault("status", "/api/files/", method="PUT", code=500),
        Fault("status", "/api/files/", method="PUT", code=503, times=3),
        Fault("drop", "/api/files/", method="PUT"),
        Fault("corrupt", f"/{FREE}", method="PUT"),
        Fault("status", "/depositions/1000", method="PUT", code=504),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.code}-{fault.method}-{fault.match.split('/')[1]}-{fault.times}",
)
def test_a_passing_fault_is_survived(zenodo, fault, capsys):
    zenodo.faults.append(fault)
    times = fault.times
    give(zenodo, "--features", "free")
    assert fault.times == 0
    assert capsys.readouterr().err.count(" of 4 failed: ") == times
    assert [*files(zenodo)] == ALL
    assert file_digest(files(zenodo)[FREE]) == file_digest(shared.FEATURES["free"])
    assert zenodo.deposits[1000].metadata["license"] == "other-open"


@pytest.mark.parametrize(
    ("asked", "waited"), [("7", 7), ("1", 2), ("9999", 300), ("Wed, 21 Oct 2026 07:28:00 GMT", 2)]
)
def test_a_busy_site_is_left_alone_as_long_as_it_asks(zenodo, monkeypatch, asked, waited):
    """At least as long as without being asked, and five minutes at most."""
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    zenodo.faults.append(Fault("status", "/depositions", method="POST", code=429, after=asked))
    give(zenodo)
    assert slept == [waited]
    assert [*files(zenodo)] == ["README.md", "crate.zip", "figures--a.png"]


@pytest.mark.parametrize(
    ("fault", "says", "there"),
    [
        (
            Fault("status", f"/{FREE}", method="PUT", code=503, times=4),
            "it answers 503 .*, 4 times; try later",
            2,
        ),
        (
            Fault("corrupt", f"/{FREE}", method="PUT", times=4),
            f"{Path(shared.FEATURES['free']).name} arrived with another MD5, 4 times",
            3,
        ),
        (Fault("drop", "/figures--a.png", method="PUT", times=4), "4 times; try later", 3),
        (
            Fault("status", "/figures--a.png", method="PUT", code=413),
            "it answers 413: Request Entity Too Large",
            3,
        ),
        (
            Fault("status", "/depositions/1000", method="PUT", code=502, times=4),
            "it answers 502 .*, 4 times",
            4,
        ),
    ],
    ids=["status", "corrupt", "drop", "too-large", "metadata"],
)
def test_after_a_fault_that_stays_the_draft_is_named_and_gone_on_with(zenodo, fault, says, there):
    zenodo.faults.append(fault)
    page = f"{zenodo.address}/uploads/1000"
    with pytest.raises(
        InputError, match=f"{says}.*; what is there stays, go on with it: make publish TO={page}$"
    ):
        give(zenodo, "--features", "free")
    assert (fault.times, len(files(zenodo))) == (0, there)
    assert zenodo.deposits[1000].metadata == {}  # so that it cannot be published
    held = {
        name
        for name, path in files(zenodo).items()
        if name != FREE or file_digest(path) == file_digest(shared.FEATURES["free"])
    }
    zenodo.requests.clear()
    give(zenodo, "--features", "free", to=page)
    assert sent(zenodo) == [name for name in ALL if name not in held]
    assert [*zenodo.deposits] == [1000]
    press_publish(zenodo)


def test_zenodo_out_of_reach_leaves_nothing(zenodo):
    zenodo.faults.append(Fault("drop", method="POST", times=4))
    with pytest.raises(InputError, match=f"publish: {zenodo.address}: .*, 4 times; try later$"):
        give(zenodo)
    assert zenodo.deposits == {}


def test_a_page_instead_of_an_answer_is_tried_again(zenodo, monkeypatch):
    plain = zenodo.RequestHandlerClass.reply
    pages = [b"<html>We are back soon"]
    monkeypatch.setattr(
        zenodo.RequestHandlerClass,
        "reply",
        lambda self, code, body, headers=None: (
            plain(self, 200, pages.pop()) if pages else plain(self, code, body, headers)
        ),
    )
    give(zenodo)
    assert [len(deposit.files) for deposit in zenodo.deposits.values()] == [
        0,
        3,
    ]  # the answer of the first was lost
    assert zenodo.deposits[1001].metadata["title"]


def test_what_zenodo_says_against_the_metadata_is_told(zenodo):
    with pytest.raises(InputError) as raised:
        share("publish", zenodo.address, "--creator", " ")
    said = "it answers 400: A validation error occurred.; metadata.creators.0.name: Missing data. Name it.; what is there stays, go on"
    assert said in str(raised.value)
    assert len(files(zenodo)) == 3


@pytest.mark.parametrize(
    ("token", "to", "says"),
    [
        (None, "", "set ZENODO_TOKEN to a token of this site that may write"),
        (" ", "", "set ZENODO_TOKEN to a token"),
        ("nö", "", "set ZENODO_TOKEN to a token"),
        ("read-only", "", r"refuses \(403\); set ZENODO_TOKEN to a token of this site that may write"),
        ("of-bob", "/uploads/1000", r"refuses \(403\); .*, and name no draft of others"),
        (TOKEN, "/uploads/7", "no such draft; correct its ID, or begin a new one: TO=http"),
        (
            TOKEN,
            "/records/1000",
            "name https://zenodo.org or https://sandbox.zenodo.org, or a draft of yours there",
        ),
    ],
)
def test_who_may_not_write_and_what_is_not_there_is_told(zenodo, monkeypatch, token, to, says):
    give(zenodo)
    zenodo.requests.clear()
    monkeypatch.setenv("ZENODO_TOKEN", token or "")
    if token is None:
        monkeypatch.delenv("ZENODO_TOKEN")
    with pytest.raises(InputError, match=says) as raised:
        give(zenodo, "--features", "free", to=zenodo.address + to)
    assert TOKEN not in str(raised.value)
    assert len(zenodo.requests) == (0 if "name https" in says or says.startswith("set") else 1)
    assert [*zenodo.deposits] == [1000]


def test_a_token_that_is_refused(zenodo):
    zenodo.faults.append(Fault("status", method="POST", code=401))
    with pytest.raises(InputError, match=r"refuses \(401\); set ZENODO_TOKEN to a token of this site"):
        give(zenodo)


@pytest.mark.parametrize(
    "to",
    [
        "https://example.org",
        "http://zenodo.org",
        "https://zenodo.org.example.org",
        "https://zenodo.org/records/1",
    ],
)
def test_tokens_go_to_zenodo_only(zenodo, to):
    with pytest.raises(
        InputError, match=f"publish: {to}: name https://zenodo.org or https://sandbox.zenodo.org"
    ):
        give(zenodo, to=to)


@pytest.mark.parametrize(
    "to",
    [
        "https://zenodo.org",
        "https://sandbox.zenodo.org/",
        "https://zenodo.org/uploads/12",
        "https://sandbox.zenodo.org/deposit/12",
    ],
)
def test_addresses_that_are_meant(to):
    assert module.PLACE.fullmatch(to)


def test_what_is_the_hubs_or_zenodos_only_is_said(zenodo):
    with pytest.raises(InputError, match="leave out --private, which is for the hub; only you see a draft"):
        give(zenodo, "--private")
    with pytest.raises(InputError, match="leave out --creator, which is for Zenodo"):
        give(zenodo, to="alice/run")
    assert zenodo.requests == []


def many(count):
    for i in range(count):
        Path(f"figures/more{i}.png").write_text("picture")


def large(size):
    with Path("figures/large.png").open("wb") as file:
        file.truncate(size)  # takes no room


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            lambda: many(98),
            r"101 files of 0\.0 GB; a record takes 100 of 50 GB, name fewer models in FEATURES",
        ),
        (lambda: large(50 * 10**9), r"4 files of 50\.0 GB; a record takes 100 of 50 GB"),
        (lambda: Path("results/crate.zip").write_text("edited"), "crate.zip: not what its record says"),
    ],
    ids=["files", "bytes", "edited"],
)
def test_what_does_not_fit_is_said_before_anything_is_sent(zenodo, more, says):
    more()
    with pytest.raises(InputError, match=says):
        give(zenodo)
    assert zenodo.requests == []


def test_a_hundred_files_are_taken(zenodo):
    many(97)
    give(zenodo)
    assert len(files(zenodo)) == 100


def test_two_files_of_one_name_are_refused(zenodo):
    both = ["features/a--b/c.safetensors", "features/a/b--c.safetensors"]
    parcel = Parcel(Path(), dict.fromkeys(both, Path("figures/a.png")), [], 0, {}, ())
    with pytest.raises(InputError, match="two files would have one name, -- for /"):
        module._named("here", parcel)


def test_one_publishes_and_another_starts_from_it(zenodo, monkeypatch, tmp_path, capsys):
    give(zenodo, "--features", "free")
    where = source(zenodo)
    table = Path(shared.TABLE).read_bytes()
    monkeypatch.chdir(tmp_path / "bob")
    monkeypatch.delenv("ZENODO_TOKEN")
    with pytest.raises(InputError, match="404 Not Found; correct the address"):
        share("import", where)  # a draft's files are nobody's
    press_publish(zenodo)
    share("import", where)
    assert "own: other (their own, non-commercial)" in capsys.readouterr().out
    assert Path(shared.TABLE).read_bytes() == table
    (taken,) = shared.imported()
    plain, _, digest = where.partition("#sha256=")
    assert (taken["from"], taken["pin"]) == (plain, f"sha256:{digest}")


def test_the_address_of_the_download_button_works_too(zenodo, monkeypatch, tmp_path):
    give(zenodo)
    address, _, digest = source(zenodo).partition("#")
    press_publish(zenodo)
    zenodo.faults.append(Fault("cut", "/records/", bytes=300))
    monkeypatch.chdir(tmp_path / "bob")
    share("import", f"{address}?download=1#{digest}")
    assert Path(shared.TABLE).read_text() == shared.NUMBERS
    with pytest.raises(InputError, match="its SHA-256 is"):
        share("import", f"{address}?download=1#sha256={'0' * 64}")


def test_features_are_started_from_as_the_card_says(zenodo, monkeypatch, tmp_path):
    give(zenodo, "--features", "free")
    press_publish(zenodo)
    monkeypatch.chdir(tmp_path / "bob")
    for name in ("crate.zip", FREE):
        place = Path("taken", name.replace("--", "/"))
        place.parent.mkdir(parents=True, exist_ok=True)
        address = f"{zenodo.address}/records/1000/files/{name}"
        place.write_bytes(requests.get(address, headers={"User-Agent": "browser"}, timeout=10).content)
    share("import", "taken", "--features", "all")
    features = Path(shared.FEATURES["free"])
    assert features.read_bytes() == (tmp_path / "alice" / features).read_bytes()


def test_by_a_process_of_its_own_with_a_netrc_that_knows_the_place(zenodo, tmp_path):
    """The client takes no other login than the token, whatever the home folder holds."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1\nlogin someone\npassword else\n")
    clean = {key: value for key, value in os.environ.items() if key != "NETRC"}
    command = [sys.executable, str(ROOT / "scripts/share.py"), "publish", zenodo.address, *WHO]
    done = subprocess.run(command, env=clean | {"HOME": str(tmp_path)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert zenodo.deposits[1000].owner == TOKEN
    assert json.dumps(zenodo.deposits[1000].metadata).count(source(zenodo)) == 1
