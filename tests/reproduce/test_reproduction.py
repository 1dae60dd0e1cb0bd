"""`sbirctl reproduce --small`, for real: a table and a figure on the drawn data set."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from sbirctl.core.home import home_at
from sbirctl.reproduce.layout import to_csv
from sbirctl.reproduce.reproduction import ReproduceRequest, listed, planned, reproduce
from sbirctl.reproduce.results import all_made
from sbirctl.reproduce.runner import Machine
from sbirctl.reproduce.small import PER_CLASS
from sbirctl.retrieval.embeddings import read
from tests import forked

WORDS = ("reproduce", "ffmln", "4", "figure-7", "--small", "--threads", "1")
REQUEST = ReproduceRequest("ffmln", ("4", "figure-7"), small=True)


def command(home, *words, script=""):
    """A process of the real command, with two epochs instead of the file's."""
    env = {
        **os.environ,
        "SBIRCTL_HOME": str(home),
        "SBIRCTL_SET_EPOCHS": "2",
        "OMP_NUM_THREADS": "1",
    }
    called = ["-c", script] if script else ["-m", "sbirctl"]
    return subprocess.Popen(
        [sys.executable if script else forked.python(), *called, *words],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process, code=0):
    out, err = process.communicate()
    assert process.returncode == code, err
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The home of a call that was let run, and what it printed."""
    home = tmp_path_factory.mktemp("whole")
    return home, ended(command(home, *WORDS))


def folder_of(home):
    return home / "reproduce" / "small" / "ffmln"


def table_of(home):
    with home_at(home):
        from sbirctl.reproduce.exhibits import load_paper

        (one,) = all_made(load_paper("ffmln").choose(["4"]), folder_of(home))
    return one.table


def test_the_table_has_ours_and_says_that_it_cannot_be_compared(made):
    home, printed = made
    page = folder_of(home) / "index.html"
    assert printed == f"{page}\n"
    shown = ended(command(home, *WORDS, "--format", "md"))
    assert "Table 4: Cost against benefit" in shown
    assert "| *here* |" in shown
    table = table_of(home)
    parameters, epochs, minutes, speed, precision = table.lines[-1].cells
    assert 0.01 < parameters.ours < 10  # millions
    assert epochs.ours == 2
    assert minutes.ours > 0
    assert speed.ours > 0
    assert 0 < precision.ours < 1
    assert all(cell.difference is None for line in table.lines for cell in line.cells)
    assert precision.reason == "made with --small: not comparable"
    assert len({cell.runs for cell in table.lines[-1].cells}) == 1  # one training for all


def test_all_files_are_there_and_the_page_names_what_was_drawn(made):
    folder = folder_of(made[0])
    names = {path.name for path in folder.iterdir()}
    endings = {f"table-4.{ending}" for ending in ("md", "tex", "csv", "json")}
    assert endings | {"figure-7-tuberlin.png", "index.html", "settings"} <= names
    page = (folder / "index.html").read_text()
    assert "No figure here can be compared" in page
    assert "in the place of the data set: tuberlin (" in page
    assert (folder / "table-4.csv").read_text() == to_csv(table_of(made[0]))


def test_the_home_of_ones_own_runs_is_left_alone(made):
    assert {path.name for path in made[0].iterdir()} == {"reproduce"}


def test_a_second_call_does_nothing_and_needs_no_torch(made):
    home, printed = made
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}
    script = (
        "import sys\nfrom sbirctl.cli._app import run\ncode = run(sys.argv[1:])\n"
        "sys.exit(9 if 'torch' in sys.modules else code)"
    )
    assert ended(command(home, *WORDS, script=script)) == printed
    assert before == {p: p.stat().st_mtime_ns for p in home.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_killed_in_the_middle_and_continued_it_gives_the_same_table(made, tmp_path):
    process = command(tmp_path, *WORDS)
    runs = tmp_path / "reproduce" / "small" / "runs"
    while not list(runs.glob("*/state/*")):  # the first epoch is saved
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(runs.glob("*/result.json"))
    assert not list(folder_of(tmp_path).glob("*.md"))
    ended(command(tmp_path, *WORDS))
    whole, cut = (table_of(home).lines[-1].cells for home in (made[0], tmp_path))
    for column in (0, 1, 4):  # the others are minutes and images a second
        assert cut[column].ours == whole[column].ours
    (one,) = (path for path in runs.glob("*/embeddings.h5"))
    (other,) = (path for path in made[0].rglob("embeddings.h5"))
    assert (read(one).query == read(other).query).all()


def test_the_dry_run_counts_what_the_run_had(made, monkeypatch):
    home, _ = made
    monkeypatch.setenv("SBIRCTL_HOME", str(home))
    monkeypatch.setenv("SBIRCTL_SET_EPOCHS", "2")
    cost = planned(REQUEST, device="cpu")
    (training,) = cost.trainings
    assert training.state == "finished"
    assert cost.left == []
    assert cost.hours == 0
    (result,) = home.rglob("result.json")
    recorded = json.loads(result.read_text())
    counts = recorded["provenance"]["counts"]
    assert training.work.images == recorded["phases"]["train"]["images"]
    assert training.work.sketches == counts["train"]["sketches"]
    assert training.work.queries == counts["test"]["sketches"]
    rate = recorded["images_per_second"]
    assert training.hours == pytest.approx(training.work.images / rate / 3600)
    (data,) = cost.data
    assert data.state.startswith("drawn in its place, seed ")
    assert data.photos == 28 * PER_CLASS


def test_measured_steps_give_hours_where_no_run_tells(made, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(made[0]))
    monkeypatch.setenv("SBIRCTL_SET_WIDTH", "32")  # a network that no run has
    (unknown,) = planned(REQUEST, device="cpu").left
    assert unknown.hours is None
    cost = planned(REQUEST, device="cpu", measured=True)
    assert cost.unknown == 0
    assert cost.hours > 0


def test_without_data_the_published_rows_stand_and_the_rest_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    outcome = reproduce(ReproduceRequest("semi3", ("IV", "figure-4")), Machine(device="cpu"))
    table, figure = outcome.made
    assert [cell.published for line in table.table.lines for cell in line.cells] == [0.914, 0.916]
    assert "no prepared data set 'sketchy'" in table.table.lines[0].cells[0].reason
    assert figure.pictures == ()
    assert not table.whole
    out = ended(command(tmp_path, "reproduce", "semi3", "IV", "--format", "md"), code=3)
    assert "| Edgemap feature | 0.914 |" in out


def test_the_list_names_every_exhibit():
    rows = listed()
    assert ("semi3", "IV-D") in {row[:2] for row in rows}
    assert {kind for _, _, kind, _ in rows} == {
        "table", "counts", "sheet", "tsne", "correlation", "curves", "attention", "samples",
        "sweep",
    }  # fmt: skip
