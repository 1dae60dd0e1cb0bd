"""A small part of `benchmarks/faults.py`: damaged files, kills and failing writes, fixed seeds."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.hostile import damaged, kinds, mutations, world  # noqa: E402

EACH = 6


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    before = os.environ.get("SBIRCTL_HOME")
    made = world.make(tmp_path_factory.mktemp("world"), trained=False)
    yield made
    assert os.environ.get("SBIRCTL_HOME") == before


def test_damage_depends_on_the_seed_alone():
    data = bytes(range(256)) * 4
    made = [mutations.damage_bytes(Random("a"), data) for _ in range(2)]
    assert made[0] == made[1] != data
    tree = {"a": [1, {"b": "c"}], "d": None}
    damaged_trees = [mutations.damage_tree(Random(number), tree) for number in range(30)]
    assert tree == {"a": [1, {"b": "c"}], "d": None}
    assert sum(one != tree for one in damaged_trees) > 20
    assert mutations.to_json({"x": mutations.DEEP}).startswith(b'{"x": ' + b"[" * 100_000)


@pytest.mark.slow
def test_damaged_files_are_read_or_refused(place):
    found = kinds.kinds(place)
    assert len(found) >= 20
    total, failures = Counter(), []
    for kind in found:
        tally = damaged.attack(place, kind, EACH, seed=1)
        total += tally.outcomes
        failures += tally.failures
    assert failures == []
    assert set(total) == {"read", "refused"}
    assert total["refused"] > total.total() / 4


def test_a_crash_is_seen(place):
    def crash(path):
        return 1 // (path.read_bytes() == b"")

    kind = kinds.Kind("made up", "raw/unseen.txt", mutations.damage_lines, crash)
    found = kinds.kinds
    try:
        damaged.kinds = lambda _: [kind]
        tally = damaged.attack(place, kind, 3, seed=1)
    finally:
        damaged.kinds = found
    assert tally.outcomes["crashed"] >= 2
    assert "ZeroDivisionError" in tally.failures[0][2]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("part", ["kills", "writes"])
def test_stopped_prepare_leaves_nothing_lost(place, part):
    words = [str(ROOT / "benchmarks/faults.py"), part, "--world", str(place)]
    words += ["--only", "prepare", "--count", "8", "--seed", "3"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| prepare")]
    assert len(rows) == 2
