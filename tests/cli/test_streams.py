"""Output that is full, closed or of few letters, and Ctrl-C: a word and the right exit status."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from waiting import PATIENCE

SBIRCTL = f'"{sys.executable}" -m sbirctl'


def shell(command, **env):
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, env={**os.environ, **env}, timeout=PATIENCE
    )


def two_lines(data):
    first, second = data.decode().splitlines()
    assert first.startswith("error: ")
    assert second.startswith("  → ")
    return first


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory):
    names = np.array(["café".encode("latin-1"), "größe".encode(), b"cup"])
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("streams") / "e.npz"
    query, gallery = np.arange(9) % 3, np.arange(24) % 3
    np.savez(
        path,
        query=rng.normal(size=(9, 8)).astype("f4"),
        gallery=rng.normal(size=(24, 8)).astype("f4"),
        query_label=names[query],
        gallery_label=names[gallery],
    )
    return path


@pytest.mark.parametrize("command", ["metrics", "metrics --help", "splits"])
def test_a_full_stdout_is_two_lines(command):
    done = shell(f"{SBIRCTL} {command} >/dev/full")
    assert done.returncode == 1
    assert "No space left" in two_lines(done.stderr)


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-"])
def test_the_result_comes_without_anybody_to_warn(embeddings, where):
    done = shell(f"{SBIRCTL} evaluate {embeddings} --metric map@all --json {where}")
    assert done.returncode == 0
    assert json.loads(done.stdout)["metrics"]["map@all"] > 0
    wrong = shell(f"{SBIRCTL} evaluate nowhere.npz {where}")
    assert (wrong.returncode, wrong.stdout) == (3, b"")


def test_a_closed_stdout_is_no_error(embeddings, tmp_path):
    done = shell(f"{SBIRCTL} evaluate {embeddings} --per-query {tmp_path / 'q.tsv'} >&- <&-")
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "q.tsv").read_text().startswith("query")  # and nothing else went into it


def test_a_pager_that_quits_is_quiet():
    done = shell(f"{SBIRCTL} splits | head -1; echo ${{PIPESTATUS[0]}}")
    assert done.stderr == b""
    assert done.stdout.splitlines()[-1] in (b"0", b"141")


@pytest.mark.parametrize("encoding", ["ascii", "cp932", "latin-1", "utf-8:strict"])
def test_a_letter_that_cannot_be_shown_is_an_escape(embeddings, encoding):
    asked = f"{SBIRCTL} evaluate {embeddings} --per-class --metric map@all"
    table = shell(asked, PYTHONIOENCODING=encoding)
    assert table.returncode == 0
    assert rb"caf\udce9" in table.stdout
    shown = {"utf-8:strict": "größe".encode(), "latin-1": "größe".encode("latin-1")}
    assert shown.get(encoding, rb"gr\xf6") in table.stdout
    whole = shell(f"{asked} --json", PYTHONIOENCODING=encoding)
    text = whole.stdout.decode(encoding.partition(":")[0])
    assert {"caf\udce9", "größe", "cup"} == set(json.loads(text)["per_class"])


def test_names_that_are_no_utf_8_survive_into_files(embeddings, tmp_path):
    done = shell(f"{SBIRCTL} evaluate {embeddings} --per-query {tmp_path / 'q.tsv'}")
    assert done.returncode == 0
    assert r"caf\udce9" in (tmp_path / "q.tsv").read_text("utf-8")


def pictures(root, count):
    rng = np.random.default_rng(1)
    for side in ("p", "s"):
        for name in ("cat", "dog"):
            (root / side / name).mkdir(parents=True)
            for i in range(count):
                cells = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
                Image.fromarray(cells).resize((900, 700)).save(root / side / name / f"{i}.png")
    return f"prepare folder --name m --photos {root / 'p'} --sketches {root / 's'} --workers 1"


def interrupted(words, home, when, number=signal.SIGINT):
    """Stderr and status of a command that gets a signal once `when` holds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sbirctl", *words.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "SBIRCTL_HOME": str(home)},
        text=True,
        # what a shell runs in the background, tests too, ignores Ctrl-C, and so do its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until = time.monotonic() + PATIENCE
    while not when() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert out == "" or process.returncode == 0
    return err.splitlines(), process.returncode


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_says_where_prepare_stands(tmp_path, name):
    number, command, code = getattr(signal, name), pictures(tmp_path, 30), 0
    for attempt in range(5):  # on a busy machine it may end before the signal comes
        home = tmp_path / f"home{attempt}"
        begun = home / "datasets/m"
        said, code = interrupted(command, home, lambda at=begun: any(at.glob("*/*")), number)
        if code != 0:
            break
    assert code == (130 if name == "SIGINT" else -number)  # the signal ends it, as others expect
    assert said[-2:] == ["Stopped while preparing m.", "  → Type the same command to go on."]


@pytest.mark.parametrize(("before", "status"), [("", -signal.SIGHUP), ("nohup", 3)])
def test_a_signal_that_is_ignored_stays_so(before, status):
    code = (
        "import os, signal; from sbirctl.cli import _signals; _signals.install()\n"
        "os.kill(os.getpid(), signal.SIGHUP); raise SystemExit(3)"
    )
    words = [*before.split(), sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == status, done.stderr


def test_ctrl_c_says_where_training_stands(tmp_path):
    home = tmp_path / "home"
    words = pictures(tmp_path, 3) + " --size 32 --unseen-fraction 0.5"
    assert shell(f"{SBIRCTL} {words}", SBIRCTL_HOME=str(home)).returncode == 0
    train = (
        "train baseline --dataset m --task sbir --weights none --set val=none --set size=32 "
        "--set backbone=mobilenetv2_050 --set batch=4 --epochs 500 --threads 1"
    )
    logs = Path(home, "runs")
    said, code = interrupted(
        train, home, lambda: any('"epoch": 1' in p.read_text() for p in logs.glob("*/log.jsonl"))
    )
    assert code == 130, said
    assert said[-2].startswith("Stopped after epoch ")
    assert said[-2].endswith(" of 500.")
    assert said[-1] == "  → Type the same command to go on."
