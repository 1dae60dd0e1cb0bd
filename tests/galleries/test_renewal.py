"""Galleries are brought up to date in the background, where they are one's own."""

import os
import sys
import time

import pytest
from small_gallery import make, photo
from waiting import PATIENCE

from sbirctl.galleries.server.renewal import Renewal, is_own


class Told:
    def __init__(self):
        self.notes, self.warnings = [], []
        self.note, self.warn = self.notes.append, self.warnings.append


@pytest.fixture
def place(tmp_path):
    photo(tmp_path / "photos" / "a.png", 1)
    make(tmp_path / "mine", [tmp_path / "photos"])
    return tmp_path / "mine"


def renewal(place, script, told=None, **more):
    """One whose command is a script that is given a gallery's name."""
    command = [sys.executable, "-c", script]
    return Renewal(command, lambda name: place.parent / name, report=told or Told(), **more)


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


COUNT = """import sys; open('asked', 'a').write(sys.argv[1])
print('{"photos": 1234, "embedded": 5}')"""


def test_what_came_of_it_is_told_and_it_is_not_asked_again_at_once(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = Told()
    one = renewal(place, COUNT, told)
    for _ in range(3):
        one.ask(["mine"])
    until(lambda: not one.is_open("mine"))
    one.close()
    assert (tmp_path / "asked").read_text() == "mine"
    assert told.notes == ["looking for new photos of mine", "mine has 1,234 photos, 5 new."]
    assert told.warnings == []


def test_a_failure_is_told_and_the_next_gallery_still_looked_at(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "other", [tmp_path / "photos"])
    told = Told()
    script = f"import sys\nif sys.argv[1] == 'mine': sys.exit('error: no room')\n{COUNT}"
    one = renewal(place, script, told)
    one.ask(["mine", "other"])
    until(lambda: not one.is_open("other"))
    one.close()
    assert told.warnings == ["mine could not be indexed again: no room"]
    assert (tmp_path / "asked").read_text() == "other"


def test_an_objection_is_told_and_nothing_is_started(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = Told()
    one = renewal(place, COUNT, told, objection=lambda name: "it was trained again.")
    one.ask(["mine"])
    until(lambda: not one.is_open("mine"))
    one.close()
    assert not (tmp_path / "asked").exists()
    assert told.notes == ["mine is not indexed again: it was trained again."]


def test_closing_ends_what_runs(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = "import time; open('begun', 'w').write('x'); time.sleep(600)"
    told = Told()
    one = renewal(place, script, told)
    one.ask(["mine"])
    until((tmp_path / "begun").exists)
    one.close()
    one.ask(["mine"])
    assert told.warnings == []
    assert not one.is_open("mine")


def test_a_gallery_that_is_not_there_is_left_alone(place):
    assert is_own(place)
    assert not is_own(place.parent / "none")


def test_a_gallery_of_somebody_else_is_left_alone(place, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: os.lstat(place).st_uid + 1)
    assert not is_own(place)


def test_a_gallery_that_cannot_be_written_is_left_alone(place, monkeypatch):
    # root may write anywhere, so the answer of the system is replaced
    monkeypatch.setattr(os, "access", lambda path, mode: path.suffix != ".sqlite")
    assert not is_own(place)
