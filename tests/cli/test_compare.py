"""`sbirctl compare` with the real command."""

import json

import numpy as np
import pytest

from tests.cli.test_evaluate import shell


@pytest.fixture
def files(tmp_path):
    """`good-N.npz` and `bad-N.npz`: seeds of two systems that differ in their noise."""
    centre = np.random.default_rng(0).standard_normal((4, 16))
    q, g = np.arange(60) % 4, np.arange(80) % 4
    names = np.array(["ape", "bat", "cat", "dog"])
    for system, noise in (("good", 1.0), ("bad", 3.0)):
        for seed in (1, 2):
            rng = np.random.default_rng(seed)
            np.savez(
                tmp_path / f"{system}-{seed}.npz",
                query=centre[q] + noise * rng.standard_normal((60, 16)),
                gallery=centre[g] + noise * rng.standard_normal((80, 16)),
                query_label=names[q],
                gallery_label=names[g],
            )
    return tmp_path


def test_a_clear_difference(files):
    done = shell("sbirctl compare good-1.npz bad-1.npz -m map@all --json", files)
    (found,) = json.loads(done.stdout)["rows"]
    assert found["difference"] == pytest.approx(found["a"] - found["b"])
    assert 0 < found["low"] < found["difference"] < found["high"]
    assert found["p"] < 0.01
    assert found["won"] > found["lost"]
    assert set(found["classes"]) == {"ape", "bat", "cat", "dog"}
    assert found["a_std"] is None


def test_the_same_system_does_not_differ(files):
    done = shell("sbirctl compare good-1.npz good-1.npz -m map@all --json", files)
    (found,) = json.loads(done.stdout)["rows"]
    assert found["p"] == 1.0
    assert (found["won"], found["lost"]) == (0, 0)


def test_seeds_are_aggregated(files):
    done = shell(
        "sbirctl compare good-1.npz good-2.npz vs bad-1.npz bad-2.npz -m map@all --json",
        files,
    )
    (found,) = json.loads(done.stdout)["rows"]
    ones = [
        json.loads(shell(f"sbirctl evaluate good-{i}.npz -m map@all --json", files).stdout)
        for i in (1, 2)
    ]
    values = [one["metrics"]["map@all"] for one in ones]
    assert found["a"] == pytest.approx(np.mean(values))
    assert found["a_std"] == pytest.approx(np.std(values, ddof=1))


def test_sides_that_do_not_belong_together(files):
    np.savez(
        files / "other.npz",
        query=np.ones((3, 2)),
        gallery=np.ones((3, 2)),
        query_label=np.arange(3),
        gallery_label=np.arange(3),
    )
    done = shell("sbirctl compare good-1.npz other.npz", files)
    assert done.returncode == 4
    assert "60 queries" in done.stderr
    assert shell("sbirctl compare good-1.npz", files).returncode == 2


def test_the_unit_may_be_the_class(files):
    line = "sbirctl compare good-1.npz bad-1.npz -m map@all -m prec@10 --json"
    by_query = json.loads(shell(line, files).stdout)["rows"]
    by_class = json.loads(shell(f"{line} --unit class", files).stdout)["rows"]
    assert [one["unit"] for one in by_query] == ["query"] * 2
    assert [one["unit"] for one in by_class] == ["class"] * 2
    for ours, theirs in zip(by_class, by_query, strict=True):
        assert ours["difference"] == theirs["difference"]
        assert ours["p"] == pytest.approx(1 / 8, abs=0.02)  # 4 classes: 2 of 16 sign changes
        assert theirs["p"] < 0.01
        assert ours["p_holm"] >= ours["p"]
    refused = shell(f"{line} --unit sketch", files)
    assert refused.returncode == 2
    assert "--unit 'sketch' is no unit" in refused.stderr
