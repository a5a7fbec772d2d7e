"""Files from outside: known by content, read once, named where they change."""

import os
from types import SimpleNamespace

import pytest

from prh.errors import InputError
from prh.sources import outside


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A folder of one's own with a table and two pictures, beside the run."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine"
    (folder / "sub").mkdir(parents=True)
    (folder / "captions.csv").write_text("image,caption\na.png,one\nsub/b.png,two\n")
    (folder / "a.png").write_bytes(b"a")
    (folder / "sub/b.png").write_bytes(b"b")
    (folder / "notes.md").write_text("not of the data set")
    return SimpleNamespace(name="mine", source="folder", path="mine", columns=None)


def pin(row):
    """What pins the files of a row."""
    files = outside.files_of_dataset(row)
    return outside.fingerprint(files, outside.digests(files))


def test_the_table_and_its_pictures_are_the_data_set(pictures):
    files = outside.files_of_dataset(pictures)
    assert files.names == ["a.png", "captions.csv", "sub/b.png"]
    assert sorted(outside.digests(files)) == ["mine/a.png", "mine/captions.csv", "mine/sub/b.png"]


@pytest.mark.parametrize("path", ["mine/captions.csv", "~/mine", "mine/sub/.."])
def test_however_it_is_named(pictures, path, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    first = pin(pictures)
    pictures.path = path
    assert pin(pictures) == first


def test_content_alone_counts(pictures, tmp_path):
    first = pin(pictures)
    os.utime("mine/a.png", (1, 1))
    (tmp_path / "mine/notes.md").write_text("another")
    assert pin(pictures) == first
    (tmp_path / "mine/a.png").write_bytes(b"c")  # as long as before
    assert pin(pictures) != first
    (tmp_path / "mine/a.png").write_bytes(b"a")
    assert pin(pictures) == first
    (tmp_path / "mine/sub/b.png").unlink()
    assert pin(pictures) != first


def test_what_looks_the_same_is_not_read_again(pictures, monkeypatch):
    first = pin(pictures)
    monkeypatch.setattr(outside, "file_digest", None)
    assert pin(pictures) == first


def test_a_damaged_memory_is_made_anew(pictures, tmp_path):
    first = pin(pictures)
    for text in ("", "[1]", '{"x": 1'):
        outside.SEEN.write_text(text)
        assert pin(pictures) == first


def test_a_text_beside_each_picture(pictures, tmp_path):
    (tmp_path / "mine/captions.csv").unlink()
    for name in ("a", "sub/b"):
        (tmp_path / f"mine/{name}.txt").write_text(name)
    assert outside.files_of_dataset(pictures).names == ["a.png", "a.txt", "sub/b.png", "sub/b.txt"]


def test_other_sources_are_all_below_their_path(pictures, tmp_path):
    pictures.source = "classes"
    (tmp_path / "mine/.hidden").write_text("")
    assert outside.files_of_dataset(pictures).names == ["a.png", "captions.csv", "notes.md", "sub/b.png"]


def test_what_changes_while_a_run_goes_on_is_said(pictures, tmp_path):
    pictures.revision = pin(pictures)
    assert len(outside.read_as_planned(pictures, outside.files_of_dataset)) == 3
    (tmp_path / "mine/a.png").write_bytes(b"other")
    with pytest.raises(InputError, match="mine: its files have changed since the run began; run it again"):
        outside.read_as_planned(pictures, outside.files_of_dataset)
    assert outside.read_as_planned(SimpleNamespace(path=None), None) == {}
