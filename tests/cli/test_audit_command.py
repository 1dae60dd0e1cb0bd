"""`sbirctl audit` with the real command."""

import json

import numpy as np
import pytest

from sbirctl.retrieval.definitions import PRESETS
from tests.cli.test_evaluate import shell


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(1)
    label = np.repeat([0, 1], 4)
    for name in ("a.npz", "b.npz"):
        np.savez(
            tmp_path / name,
            query=rng.standard_normal((8, 6)),
            gallery=np.repeat(rng.standard_normal((4, 6)), 2, axis=0),
            query_label=label,
            gallery_label=label,
        )
    return tmp_path


def test_one_row_a_definition_and_the_gap(files):
    done = shell("sbirctl audit a.npz", files)
    assert done.returncode == 0
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert rows[0] == ["definition", "map@all", "map@200", "prec@100", "prec@200"]
    assert [row[0] for row in rows[1:]] == [*PRESETS, "(largest - smallest)", "(chance, standard)"]
    assert "4 of 8 gallery photos repeat" in done.stderr


def test_several_files_and_json(files):
    rows = [
        line.split("\t") for line in shell("sbirctl audit a.npz b.npz", files).stdout.split("\n")
    ]
    assert rows[0][0] == "run"
    assert {row[0] for row in rows[1:-1]} == {"a", "b"}
    first, second = json.loads(shell("sbirctl audit a.npz b.npz --json", files).stdout)["rows"]
    assert first["file"] == "a.npz"
    assert set(second["definitions"]) == set(PRESETS)
    low, high = first["spread"]["map@200"]
    values = [row["map@200"] for row in first["definitions"].values()]
    assert (low, high) == (min(values), max(values))
