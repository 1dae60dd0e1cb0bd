"""What beginners type wrong (benchmarks/mistakes.toml) is answered in two lines that help."""

import tomllib
from pathlib import Path

import pytest

LIST = Path(__file__).parents[2] / "benchmarks" / "mistakes.toml"
MISTAKES = tomllib.loads(LIST.read_text())["mistake"]


@pytest.fixture
def left(furnished):
    """What lies in the home and beside it, without locks and what is kept of the code."""
    (furnished.root / "notes.txt").write_text("not a picture\n")

    def names():
        found = {path for path in furnished.root.rglob("*") if path.name != ".lock"}
        return {path for path in found if "kept" not in path.parts}

    return names


@pytest.mark.parametrize("one", MISTAKES, ids=[one["typed"] for one in MISTAKES])
def test_a_mistake_is_answered_in_two_lines_and_leaves_nothing(one, sbirctl, left):
    before = left()
    status, out, err = sbirctl(*one["typed"].split())
    error, hint = err.splitlines()[-2:]
    assert (status, out) == (one["status"], "")
    assert error.startswith("error: ")
    assert hint.startswith("  → ")
    assert one["says"] in error + hint
    assert "should not happen" not in err
    assert left() == before
