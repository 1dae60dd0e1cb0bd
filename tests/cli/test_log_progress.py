"""Progress where stderr is a log: a line a minute, with the rate and what is left."""

import io

import pytest

from sbirctl.cli import _console
from sbirctl.core.progress import human_time


def test_a_line_a_minute(monkeypatch, capsys):
    now = 1000.0
    monkeypatch.setattr(_console.time, "monotonic", lambda: now)
    with _console.reporter().bar("embedding photos", 2000, 100) as advance:
        for _ in range(13):  # ten seconds and 50 photos each
            now += 10
            advance(50)
    assert capsys.readouterr().err.splitlines() == [
        "embedding photos: 400 of 2,000, 5.0/s, 5:20 left",
        "embedding photos: 700 of 2,000, 5.0/s, 4:20 left",
    ]
    with _console.reporter().bar("reading") as advance:
        now += 61
        advance(61)
    assert capsys.readouterr().err == "reading: 61, 1.0/s\n"


@pytest.mark.parametrize("environment", [{"JPY_PARENT_PID": "1"}, {"TERM": "dumb"}], ids=str)
def test_lines_where_a_terminal_draws_no_bar(environment, monkeypatch):
    """As `!sbirctl …` in a notebook, whose kernel gives it a terminal."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(_console.sys, "stderr", terminal)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    now = 1000.0
    monkeypatch.setattr(_console.time, "monotonic", lambda: now)
    with _console.reporter().bar("embedding photos", 200) as advance:
        now += 60
        advance(60)
    assert terminal.getvalue() == "embedding photos: 60 of 200, 1.0/s, 2:20 left\n"


def test_durations():
    assert [human_time(s) for s in (0.4, 42, 61, 3725)] == ["0:00", "0:42", "1:01", "1:02:05"]
