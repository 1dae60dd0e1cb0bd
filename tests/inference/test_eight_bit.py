"""Weights of eight bits: what they cost is measured, and nobody gets them unasked."""

import numpy as np
import pytest

from sbirctl.inference.eight_bit import loss
from sbirctl.inference.export import LEAST_COSINE
from sbirctl.inference.onnx import OnnxEncoder, read_card
from sbirctl.pipeline.export import export_model

SETTINGS = {"backbone": {"name": "resnet10t"}, "size": 32, "dim": 0, "mirror": False}


def test_the_loss_by_hand():
    own = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    other = own.copy()
    other[3] = (0.6, 0.8, 0)  # its nearest is now the second; the first's is still the fourth
    found = loss([own], [other])
    assert found["worst_cosine"] == pytest.approx(0.6)
    assert found["mean_cosine"] == pytest.approx(0.9)
    assert loss([own], [own]) == {"worst_cosine": 1, "mean_cosine": 1, "same_nearest": 1}
    assert found["same_nearest"] == 0.5


@pytest.mark.slow
def test_its_folder_is_apart_its_loss_in_the_card_and_its_vectors_so(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    small = export_model("baseline", [SETTINGS], weights="none", int8=True)
    full = export_model("baseline", [SETTINGS], weights="none")
    assert full != small
    assert "int8" not in read_card(full)
    card = read_card(small)
    assert card["int8"]["bytes"] < 0.3 * card["int8"]["bytes_of_fp32"]
    whole = sum(
        (full / file).stat().st_size for file in ("photo.onnx", "sketch.onnx", "weights.bin")
    )
    assert card["int8"]["bytes_of_fp32"] == pytest.approx(whole, rel=1e-3)
    assert full.stat().st_mtime >= small.stat().st_mtime
    photos = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    a, b = (OnnxEncoder(folder).embed(photos, "photo") for folder in (full, small))
    cosines = (a * b).sum(1)
    assert 0.9 < cosines.min() < LEAST_COSINE
    assert np.allclose(np.linalg.norm(b, axis=1), 1, atol=1e-5)
    assert card["parity"]["worst_cosine"] == card["int8"]["worst_cosine"] < LEAST_COSINE
