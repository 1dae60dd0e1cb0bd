"""Progress below a notebook's cell: one output, replaced in place; nothing elsewhere."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from sbirctl.api import notebook
from sbirctl.api.reporting import PythonReporter, SbirctlWarning


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when the test says so."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(notebook.time, "monotonic", lambda: now.seconds)
    return now


@pytest.fixture
def kernel(monkeypatch, clock):
    """IPython as a kernel has it; gives the outputs of the cell, each the list of its states."""
    outputs = []

    class Handle:
        def __init__(self, states):
            self.states = states

        def update(self, output, raw):
            assert raw
            self.states.append(output["text/plain"])

    def display(output, raw, display_id):
        assert raw
        assert display_id
        outputs.append([output["text/plain"]])
        return Handle(outputs[-1])

    shell = ModuleType("IPython")
    shell.get_ipython = lambda: SimpleNamespace(kernel=object())
    shell.display = ModuleType("IPython.display")
    shell.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", shell.display)
    return outputs


def test_a_bar_is_one_output_that_changes(kernel, clock):
    with PythonReporter().bar("embedding photos", 2000, 100) as advance:
        for _ in range(4):
            clock.seconds += 1
            advance(50)
    assert kernel == [
        [
            "embedding photos: 150 of 2,000, 50.0/s, 0:37 left",
            "embedding photos: 200 of 2,000, 50.0/s, 0:36 left",
            "embedding photos: 250 of 2,000, 50.0/s, 0:35 left",
            "embedding photos: 300 of 2,000, 50.0/s, 0:34 left",
            "embedding photos: 300 of 2,000, 50.0/s, 0:34 left",
        ]
    ]


def test_notes_stay_and_bars_go(kernel, clock):
    report = PythonReporter()
    report.note("training a run")
    for epoch in (1, 2):
        with report.bar(f"epoch {epoch}/2", 1) as advance:
            clock.seconds += 2
            advance()
        report.note(f"epoch {epoch}: good")
    assert len(kernel) == 1
    assert kernel[0][0] == "training a run\nepoch 1/2: 1 of 1, 0.5/s"
    assert "training a run\nepoch 1: good\nepoch 2/2: 1 of 1, 0.5/s" in kernel[0]
    assert kernel[0][-1] == "training a run\nepoch 1: good\nepoch 2: good"


def test_what_is_soon_done_shows_nothing(kernel, clock):
    report = PythonReporter()
    report.note("28 queries")
    with report.bar("ranking", 3) as advance:
        clock.seconds += 0.2
        advance(3)
    assert kernel == []


def test_it_is_not_drawn_more_often_than_can_be_read(kernel, clock):
    clock.seconds += 1
    with PythonReporter().bar("reading", 1000) as advance:
        for _ in range(1000):
            clock.seconds += 0.01
            advance()
    assert len(kernel[0]) <= 22  # ten seconds


def test_warnings_are_warnings_there_too(kernel):
    with pytest.warns(SbirctlWarning, match="look"):
        PythonReporter().warn("look")
    assert kernel == []


@pytest.mark.parametrize("shell", [None, SimpleNamespace()])
def test_elsewhere_nothing_is_said(shell, clock, monkeypatch, capsys):
    python = ModuleType("IPython")
    python.get_ipython = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", python)
    report = PythonReporter()
    report.note("a note")
    with report.bar("reading", 2) as advance:
        clock.seconds += 100
        advance(2)
    assert capsys.readouterr() == ("", "")
