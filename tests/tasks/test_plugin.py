"""A task of another package, with an option of its own."""

import os
import subprocess
from pathlib import Path

import pytest

import sbirctl
from tests import forked

TASK = """
from dataclasses import dataclass

from sbirctl.core.config import setting
from sbirctl.tasks import TASKS, Task, TaskOptions


@dataclass(frozen=True)
class MyOptions(TaskOptions):
    least: int = setting(2, help="leave out classes with fewer sketches than this")


class MyTask(Task[MyOptions]):
    name, summary, split, target = "mine", "what it is in one line", "none", False
    Options = MyOptions

    def build(self, source, target, split, options, holdout):
        raise AssertionError


TASKS.register(MyTask())
"""


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "other_package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "mine.py").write_text(TASK)
    about = tmp_path / "other_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: other_package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[sbirctl.tasks]\nmine = other_package.mine\n")
    path = os.pathsep.join([str(tmp_path), str(Path(sbirctl.__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": path, "SBIRCTL_HOME": str(tmp_path / "home")}

    def call(*words):
        return subprocess.run(
            [forked.python(), "-m", "sbirctl", *words],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return call


def test_its_options_are_listed_and_checked_like_any_others(run):
    listed = run("tasks", "mine").stdout.splitlines()
    assert listed[-1].split("\t")[:2] == ["least", "2"]
    assert "mine\tnone" in run("tasks").stdout
    refused = run("train", "baseline", "--set", "least=3")
    assert refused.returncode == 2
    assert "'least' is an option of the task mine, not of cg" in refused.stderr
    wrong = run("train", "baseline", "--task", "mine", "--set", "least=few")
    assert wrong.returncode == 2
    assert "least=few is not a whole number" in wrong.stderr
