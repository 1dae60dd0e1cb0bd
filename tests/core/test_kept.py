"""What follows from the code alone is made once, and again when a file of the program changes."""

import os

import pytest

from sbirctl.core.kept import code_digest, file_states, kept


@pytest.fixture
def home(tmp_path, monkeypatch):
    place = tmp_path / "home"
    monkeypatch.setenv("SBIRCTL_HOME", str(place))
    return place


def test_it_is_made_once_and_equal_each_time(home):
    made = []

    def make():
        made.append(1)
        return {"numbers": (1, 2)}

    first, second = kept("thing", make), kept("thing", make)
    assert first == second == {"numbers": [1, 2]}
    assert len(made) == 1
    assert kept("other", lambda: 5) == 5


def test_a_damaged_file_is_made_again(home):
    kept("thing", lambda: 1)
    (file,) = home.glob("kept/*/thing.json")
    file.write_text("{")
    assert kept("thing", lambda: 2) == 2
    assert kept("thing", lambda: 3) == 2


def test_what_another_state_of_the_code_left_goes(home):
    (home / "kept" / "earlier").mkdir(parents=True)
    kept("thing", lambda: 1)
    assert [place.name for place in (home / "kept").iterdir()] == [code_digest()[:16]]


def test_a_home_that_cannot_be_written_is_no_obstacle(home):
    home.write_text("a file")
    assert kept("thing", lambda: 1) == 1
    assert kept("thing", lambda: 2) == 2


def test_a_file_that_changes_is_seen(tmp_path):
    (tmp_path / "a" / "__pycache__").mkdir(parents=True)
    file, compiled = tmp_path / "a" / "x.py", tmp_path / "a" / "__pycache__" / "x.pyc"
    file.write_text("1")
    before = file_states(tmp_path)
    compiled.write_text("2")
    assert file_states(tmp_path) == before
    state = file.stat()
    file.write_text("3")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert file_states(tmp_path) != before
    assert file_states(tmp_path / "nowhere") == []
