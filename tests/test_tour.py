"""docs/tour.md is true: the files it leads through run, in a step and on the way to a number."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "tour.md").read_text("utf-8")


def named(section: str) -> list[str]:
    """Files of a numbered list of the page, below the package."""
    text = PAGE.split(f"## {section}")[1].split("\n## ")[0]
    return re.findall(r"^\d\. \[`([\w/]+\.py)`\]", text, re.MULTILINE)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The files that run: in prepare, train, one step of it, embed and evaluate."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import paths
    finally:
        sys.path.pop(0)
    place = tmp_path_factory.mktemp("tour")
    paths.draw(place)
    env = {k: v for k, v in os.environ.items() if not k.startswith("SBIRCTL_")}
    env |= {"SBIRCTL_HOME": str(place / "home"), "OMP_NUM_THREADS": "1"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])
    found = {
        row: paths.traced(paths.COMMANDS[row].split(), place, env)
        for row in ("prepare", "train", "embed", "evaluate")
    }
    return {row: set(one["run"]) for row, one in found.items()} | {
        "step": set(found["train"]["step"])
    }


def test_the_files_of_a_step_run_in_a_step(ran):
    files = named("One training step")
    assert 6 <= len(files) <= 8
    # Batches are drawn, and rates set, by the loop around a step.
    assert set(files) <= ran["step"] | {"sampling/plans.py", "training/optim.py"}
    assert {"sampling/plans.py", "training/optim.py"} <= ran["train"]


def test_the_files_of_a_number_run_on_its_way(ran):
    files = named("One number, from picture to table")
    assert 6 <= len(files) <= 8
    assert set(files) <= ran["prepare"] | ran["embed"] | ran["evaluate"]


def test_what_the_page_names_is_there():
    for link in re.findall(r"\]\((?:\.\./)?([\w/.-]+)\)", PAGE):
        assert (ROOT / link).exists() or (ROOT / "docs" / link).exists(), link
    for file, name in re.findall(r"`([\w/]+\.py)`\][^\n]*?: `([\w.]+)`", PAGE):
        text = (ROOT / "sbirctl" / file).read_text("utf-8")
        for word in name.split("."):
            assert re.search(rf"(def|class) {word}\b", text), (file, name)


def test_what_is_named_stands_in_a_file_beside_it():
    """Functions, classes and settings of a point or row, in the files it links to."""
    points = re.findall(r"^(?:\d\. |\| ).*(?:\n   .*)*", PAGE, re.MULTILINE)
    names = 0
    for point in points:
        files = [ROOT / link for link in re.findall(r"\]\(\.\./([\w/]+\.py)\)", point)]
        for name in re.findall(r"`([A-Za-z_]+)`", point):
            names += 1
            assert any(re.search(rf"\b{name}\b", file.read_text("utf-8")) for file in files), name
    assert names > 15
