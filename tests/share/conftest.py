"""A run to publish, and two who share it."""

import shutil
from contextlib import chdir

import pytest

from helpers import shared


@pytest.fixture(scope="session")
def a_run(tmp_path_factory):
    """The folder of a run, with its crate."""
    folder = tmp_path_factory.mktemp("run")
    with chdir(folder):
        shared.make_run()
    return folder


@pytest.fixture
def alice(a_run, tmp_path, monkeypatch):
    """A folder that holds a run, the working directory; bob beside it has an empty one."""
    shutil.copytree(a_run, tmp_path / "alice")
    (tmp_path / "bob").mkdir()
    monkeypatch.chdir(tmp_path / "alice")
    return tmp_path / "alice"
