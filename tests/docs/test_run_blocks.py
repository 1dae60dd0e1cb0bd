"""Blocks of Python that stand alone in a page run; pages to be followed have tests of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sbirctl.core.config import setting
from sbirctl.retrieval.embeddings import read
from sbirctl.tasks import Task, TaskOptions

DOCS = Path(__file__).parents[2] / "docs"
# Pages whose blocks are followed by another test.
FOLLOWED = {
    "adding-a-data-set.md",
    "adding-a-loss.md",
    "adding-a-metric.md",
    "adding-a-model.md",
    "adding-an-engine.md",
    "python.md",
}


def blocks(page: str) -> list[str]:
    text = (DOCS / page).read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_every_block_is_run_by_a_test() -> None:
    pages = {str(f.relative_to(DOCS)) for f in DOCS.rglob("*.md") if "```python" in f.read_text()}
    assert pages - FOLLOWED == {"edges.md", "formats.md", "splits.md", "tutorials/method.md"}


def test_edge_maps() -> None:
    names: dict = {}
    (block,) = blocks("edges.md")
    exec(block, names)
    assert names["maps"].shape == (4, 1, 64, 64)


def test_files(tmp_path: Path, monkeypatch) -> None:
    import h5py

    monkeypatch.chdir(tmp_path)
    with h5py.File("images.h5", "w") as file:
        file["photo"] = np.full((2, 8, 8, 3), 7, dtype=np.uint8)
    store, vectors = blocks("formats.md")
    rng = np.random.default_rng(0)
    names = {"np": np, "q": rng.random((2, 4)), "g": rng.random((3, 4))}
    exec(store, names)
    assert names["first"].shape == (8, 8, 3)
    exec(vectors, names)
    assert len(read(Path("mine.npz")).gallery) == 3


def test_a_task_of_ones_own() -> None:
    names = {"dataclass": dataclass, "setting": setting, "Task": Task, "TaskOptions": TaskOptions}
    (block,) = blocks("splits.md")
    exec(block, names)
    assert names["MyTask"]().Options().least == 2


@pytest.mark.slow
def test_the_tutorial_for_authors(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    # As a notebook, in a process of its own: it starts others.
    looks = 'assert len(after.query) == 280 and table["standard"]["map@all"] > 0.2'
    code = "\n".join([*blocks("tutorials/method.md"), looks])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "audit.png").is_file()
