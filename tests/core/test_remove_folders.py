"""Removing runs, galleries and data sets: out of the way first, deleted when nobody waits."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from sbirctl.core import home
from sbirctl.core.files import lock


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "runs" / "one"
    (place / "state").mkdir(parents=True)
    (place / "config.toml").write_text("")
    (place / "state" / "large").write_text("")
    return place


def held(place):
    return lock(place / ".lock", busy="one is being trained")


def test_it_is_gone_and_its_lock_free_before_the_deletion(folder, monkeypatch):
    seen = []

    def rmtree(place, **_):
        seen.append((folder.exists(), (place / "config.toml").exists()))
        with held(folder):  # somebody begins it anew meanwhile
            pass
        delete(place)

    delete = shutil.rmtree
    monkeypatch.setattr(home.shutil, "rmtree", rmtree)
    assert home.remove_folders([folder], held, "config.toml") == [folder]
    assert seen == [(False, False)]
    assert [path.name for path in folder.parent.iterdir()] == ["one"]


def test_what_a_killed_call_left_goes_with_the_next(folder, monkeypatch):
    def killed(place, **_):
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(home.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            home.remove_folders([folder], held, "config.toml")
    (left,) = folder.parent.iterdir()
    assert left.name.startswith(".one.")
    folder.mkdir()
    home.remove_folders([folder], held)
    assert list(folder.parent.iterdir()) == []


def test_a_folder_that_cannot_be_moved_is_deleted_when_the_lock_is_free(folder, monkeypatch):
    inside = []

    @contextmanager
    def open_file(place):
        inside.append(place)
        yield
        inside.clear()

    def refused(self, target):
        raise PermissionError(13, "in use")

    def rmtree(place, **_):
        assert inside == []
        delete(place)

    delete = shutil.rmtree
    monkeypatch.setattr(Path, "rename", refused)
    monkeypatch.setattr(home.shutil, "rmtree", rmtree)
    home.remove_folders([folder], open_file, "config.toml")
    assert not folder.exists()
