"""A call of `train` that found its finished run finds it again without torch, and no other does."""

import json
import os
import subprocess
import sys

import pytest

from sbirctl.core.config import parse_assignments
from sbirctl.core.progress import Listener, Reporter
from sbirctl.pipeline.train import call_digest, finished_run, train
from sbirctl.training.inputs import Inputs

SETTINGS = ("backbone=mobilenetv3_small_050", "size=32", "batch=16", "per_class=2", "dim=16")
WORDS = ["--weights", "none", "--workers", "0", "--epochs", "1"]


class Warnings(Reporter):
    def __init__(self):
        self.said = []

    def warn(self, message):
        self.said.append(message)


@pytest.fixture
def run(home):
    return train("baseline", assignments=SETTINGS, epochs=1, weights="none", workers=0)


def digest(*assignments, dataset="", task="cg", split="", model="baseline", **flags):
    layers = [parse_assignments([*SETTINGS, *assignments])]
    found = Inputs(dataset, "", task, split).find()
    return call_digest(model, layers, found, task=task, split=split, dataset=dataset, **flags)


def in_a_process(*words):
    """(stdout's first line, stderr, modules) of a command line."""
    code = (
        "import json, sys\n"
        "from sbirctl.cli._app import run\n"
        f"assert run({list(words)!r}) == 0\n"
        "print(json.dumps(list(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *said, modules = done.stdout.splitlines()
    return said, done.stderr, set(json.loads(modules))


def test_the_same_line_again_imports_no_torch(home):
    line = ["train", "baseline", *WORDS, *(word for s in SETTINGS for word in ("--set", s))]
    first, _, modules = in_a_process(*line)
    assert "torch" in modules
    again, said, modules = in_a_process(*line)
    assert (again, "--fresh trains it again" in said) == (first, True)
    assert not modules & {"torch", "timm", "open_clip"}


def test_a_run_found_the_slow_way_is_found_quickly_from_then_on(run):
    for call in (run / "calls").iterdir():
        call.unlink()
    assert train("baseline", assignments=SETTINGS, epochs=1, weights="none", workers=0) == run
    assert len(list((run / "calls").iterdir())) == 1


def test_a_run_that_is_not_finished_any_more_is_not_found(run):
    (call,) = (run / "calls").iterdir()
    assert finished_run(call.name) == run
    (run / "result.json").unlink()
    assert finished_run(call.name) is None


def test_another_call_has_another_digest(home, tmp_path):
    """Everything that a run's name depends on is part of it."""
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"one")
    mine = tmp_path / "mine.txt"
    mine.write_text("thing1\nthing2\n")
    calls = [
        digest(),
        digest("lr=0.5"),
        digest("lr=0.25"),
        digest(seed=1),
        digest(refit=True),
        digest(monitor=True),
        digest(dataset="small"),
        digest(split="all"),
        digest(split=str(mine)),
        digest(task="gzs"),
        digest(weights=str(weights)),
        digest(from_stage="x"),
        digest(model="ffmln"),
    ]
    mine.write_text("thing1\nthing3\n")
    weights.write_bytes(b"two")
    calls += [digest(split=str(mine)), digest(weights=str(weights))]
    assert None not in calls
    assert len(set(calls)) == len(calls)
    assert digest() == calls[0]


def test_a_data_set_that_was_made_again_is_another_one(home):
    before = digest()
    folder = (home / "datasets").resolve()
    manifest = folder / "small" / "manifest.json"
    state = manifest.stat()
    os.utime(manifest, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    try:
        assert digest() != before
    finally:
        os.utime(manifest, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert digest() == before


def test_calls_of_several_processes_are_not_remembered(home, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")
    assert digest() is None


def test_a_listener_hands_on_and_knows_that_something_was_said():
    heard = Warnings()
    listener = Listener(heard)
    assert not listener.heard
    listener.warn("a")
    assert (listener.heard, heard.said) == (True, ["a"])
