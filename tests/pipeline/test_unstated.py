"""What a file does not say of itself is said when its figures are held against others."""

import json

import numpy as np
import pytest

from sbirctl.core.progress import Reporter
from sbirctl.pipeline.audit import audit
from sbirctl.pipeline.compare import compare
from sbirctl.pipeline.evaluate_all import evaluate_all
from sbirctl.pipeline.report import report as report_on
from sbirctl.pipeline.scores import EvaluateRequest
from sbirctl.retrieval.definitions import get


class Warnings(Reporter):
    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


def write(path, **more):
    labels = np.arange(20) % 2
    vectors = np.random.default_rng(0).standard_normal((20, 8)) + np.eye(2, 8)[labels]
    sides = {"query": vectors, "gallery": vectors + 0.1}
    np.savez(path, query_label=labels, gallery_label=labels, **sides, **more)
    return path


@pytest.mark.parametrize("stage", [audit, lambda path, report: report_on([path], report=report)])
def test_missing_provenance_is_named(tmp_path, stage):
    told = Warnings()
    stage(write(tmp_path / "x.npz", model="mine", task="cg"), report=told)
    (said,) = [text for text in told.warnings if "does not say" in text]
    assert "x.npz does not say its dataset, store_digest, seed, settings, weights, trained" in said
    known = {"dataset": "toys", "store_digest": "ab", "seed": 1, "settings": {}, "trained": True}
    known["weights"] = {"name": "none", "sha256": "", "source": "none"}
    told = Warnings()
    path = write(tmp_path / "y.npz", model="mine", task="cg", provenance=json.dumps(known))
    stage(path, report=told)
    assert not [text for text in told.warnings if "does not say" in text]


def started(path, name, source="pretrained"):
    known = {"weights": {"name": name, "sha256": "", "source": source}}
    return write(path, model="mine", task="cg", provenance=json.dumps(known))


def test_sides_that_start_from_other_weights_are_named(tmp_path):
    clip = started(tmp_path / "a.npz", "CLIP")
    told = Warnings()
    for other in (started(tmp_path / "b.npz", "CLIP"), write(tmp_path / "c.npz")):
        compare([clip], [other], ["map@all"], get("standard"), report=told)
    assert not [text for text in told.warnings if "start from" in text]
    drawn = started(tmp_path / "d.npz", "none", "none")
    compare([clip], [drawn], ["map@all"], get("standard"), report=told)
    (said,) = [text for text in told.warnings if "start from" in text]
    assert "other weights: CLIP, and random values." in said


def test_a_file_named_twice_is_one_seed(tmp_path):
    one, other = write(tmp_path / "a.npz"), write(tmp_path / "b.npz")
    told = Warnings()
    again = tmp_path / "." / "a.npz"
    found = compare([one, again], [other], ["map@all"], get("standard"), report=told)
    assert [len(files) for _, files in found.systems] == [1, 1]
    assert any("a.npz is named twice and counted once" in text for text in told.warnings)
    told = Warnings()
    (tmp_path / "link.npz").symlink_to(one)
    compare([one], [tmp_path / "link.npz"], ["map@all"], get("standard"), report=told)
    assert any("a.npz stands on both sides" in text for text in told.warnings)
    assert [row.path for row in evaluate_all([one, again, other], EvaluateRequest())] == [
        one,
        other,
    ]
    titles = [
        row.title for row in evaluate_all([one, again, other], EvaluateRequest(), labels="xyz")
    ]
    assert titles == ["x", "z"]
