"""Tables on terminals of 60, 80 and 120 columns: names and figures whole, nothing wider."""

import os
import re
import subprocess

import numpy as np
import pytest

from sbirctl.cli._tables import print_fitting
from tests import forked
from tests.cli.terminal import on_terminal

RUN = "baseline-cg-demo-unseen7-{}-3d299fb{}"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Embeddings of two systems, and two runs."""
    import json

    place = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    q, g = np.arange(60) % 3, np.arange(90) % 3
    names = np.array(["an ape of a long name", "bat", "cat"])
    for i in (0, 1):
        centre = rng.standard_normal((3, 8))
        arrays = {
            "query": centre[q] + (i + 1) * rng.standard_normal((60, 8)),
            "gallery": centre[g] + (i + 1) * rng.standard_normal((90, 8)),
            "query_label": names[q],
            "gallery_label": names[g],
        }
        np.savez(place / f"{i}.npz", **arrays)
        folder = place / "home" / "runs" / RUN.format(i, i)
        folder.mkdir(parents=True)
        (folder / "config.toml").touch()
        result = {
            "finished": f"2026-01-0{i + 1}",
            "minutes": 1.5,
            "chosen_epochs": {"train": 2},
            "phases": {"train": {"history": [{"epoch": 0, "val_map@all": 0.5}]}},
            "parameters": {"all": 3_400_000},
        }
        (folder / "result.json").write_text(json.dumps(result))
    return place


def terminal(home, words, columns):
    """What a command writes to a terminal of that width: (stdout and stderr, exit status)."""
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    env |= {"SBIRCTL_HOME": str(home / "home"), "TERM": "xterm"}
    command = [forked.python(), "-m", "sbirctl", *words]
    written, status = on_terminal(command, columns, env, home)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).replace("\r\n", "\n")
    return text, status


LISTINGS = {
    "runs": ["runs"],
    "datasets": ["datasets"],
    "models": ["models"],
    "tasks": ["tasks"],
    "metrics": ["metrics"],
    "splits": ["splits"],
    "galleries": ["galleries"],
    "env": ["env"],
    "ledger": ["ledger", "--task", "cg", "--dataset", "sketchy"],
    "evaluate": ["evaluate", "0.npz", "--ci", "class"],
    "per class": ["evaluate", "0.npz", "--per-class"],
    "audit": ["audit", "0.npz"],
    "compare": ["compare", "0.npz", "1.npz"],
}


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("name", LISTINGS)
def test_no_line_of_a_table_is_wider_than_the_terminal(home, name, columns):
    text, status = terminal(home, LISTINGS[name], columns)
    assert status == 0, text
    lines = [line for line in text.splitlines() if line[:1] in "┏┃┡│└"]
    assert lines or name in ("galleries",)
    assert max((len(line) for line in lines), default=0) <= columns


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_run_names_and_figures_are_whole(home, columns):
    text, _ = terminal(home, ["runs"], columns)
    for i in (0, 1):
        (line,) = (line for line in text.splitlines() if RUN.format(i, i) in line)
        assert "finished" in line
    if columns < 120:
        assert "Left out for want of room: path" in text
    text, _ = terminal(home, ["compare", "0.npz", "1.npz", "-m", "map@all"], columns)
    (row,) = (line for line in text.splitlines() if "map@all" in line)
    figures = [cell.strip() for cell in row.strip("│ ").split("│")[1:]]
    assert all(re.fullmatch(r"-?[01]\.[0-9]{4}|[0-9]+|query|", cell) for cell in figures)


def test_wide_shows_all_columns(home):
    text, _ = terminal(home, ["runs", "--wide"], 60)
    assert str(home / "home" / "runs" / RUN.format(0, 0)) in text
    assert "Left out" not in text
    text, _ = terminal(home, ["runs", "list", "-l"], 60)
    assert "images/s" in text


def test_digits_in_pipes_too(home):
    done = subprocess.run(
        [forked.python(), "-m", "sbirctl", "evaluate", "0.npz", "-m", "map@all", "--digits", "7"],
        capture_output=True, text=True, cwd=home, check=True,
    )  # fmt: skip
    assert re.fullmatch(r"0\.[0-9]{7}", done.stdout.splitlines()[1].split("\t")[1])


def test_quiet_may_stand_behind_the_command(home):
    for words in (["-q", "evaluate"], ["evaluate", "-q"]):
        done = subprocess.run(
            [forked.python(), "-m", "sbirctl", *words, "@1"],
            capture_output=True, text=True, cwd=home,
            env={**os.environ, "SBIRCTL_HOME": str(home / "home")},
        )  # fmt: skip
        assert "newest" not in done.stderr


def test_text_is_folded_before_columns_go(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    rows = [["a", "0.5000", "some words " * 8]]
    dropped = print_fitting(
        ("name", "score", "what"), rows, (False, True, False), "", (), wide=False
    )
    assert dropped == []
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 50
    assert " ".join(re.findall("some|words", out)) == " ".join(["some words"] * 8)


def test_numbers_stand_below_each_other(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_fitting(
        ["name", "value"], [["a", "1.5"], ["b", "-20.25"]], [False, True], "", (), wide=False
    )
    rows = [line for line in capfd.readouterr().out.splitlines() if line.startswith("│")]
    assert [row.rindex(" │") for row in rows] == [
        row.index(end) + len(end) for row, end in zip(rows, ("1.5", "20.25"), strict=True)
    ]
