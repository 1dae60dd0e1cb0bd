"""Decoding within limits: the same pixels, and what takes too much costs itself alone."""

import re

import numpy as np
import pytest
from pictures import encoded, noise
from PIL import Image

from sbirctl.core.bounded import BoundedProcesses, Bounds
from sbirctl.store import bounded
from sbirctl.store.bounded import load_bounded
from sbirctl.store.images import ImageError, load_image

KINDS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP", "JPEG2000")


def progressive(side, scans):
    """A plain white JPEG with its last scan repeated: each goes over all pixels."""
    data = encoded(Image.new("RGB", (side, side), "white"), "JPEG", progressive=True)
    last = [found.start() for found in re.finditer(b"\xff\xda", data)][-1]
    return data[:-2] + data[last:-2] * scans + b"\xff\xd9"


@pytest.fixture
def narrow(monkeypatch):
    """Bounds that are met within a moment."""
    processes = BoundedProcesses(Bounds(seconds=0.3, memory=60 << 20))
    monkeypatch.setattr(bounded, "_processes", lambda: processes)
    yield
    processes.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("modality", ["photo", "sketch"])
def test_the_pixels_are_those_of_load_image(kind, modality):
    data = encoded(noise(1, (40, 30)), kind)
    assert np.array_equal(load_bounded(data, modality, 16), load_image(data, modality, 16))


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "empty"),
        (b"II*\0", "no image"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "no image"),
        (b"text", "no image"),
    ],
)
def test_reasons_are_those_of_load_image(data, said):
    with pytest.raises(ImageError, match=said) as caught:
        load_bounded(data, "photo", 16)
    with pytest.raises(ImageError) as expected:
        load_image(data, "photo", 16)
    assert (caught.value.message, caught.value.kind) == (
        expected.value.message,
        expected.value.kind,
    )


def test_a_limit_of_pixels_holds_in_the_other_process():
    with pytest.raises(ImageError, match="40 × 30 pixels") as caught:
        load_bounded(encoded(noise(1, (40, 30)), "TIFF"), "photo", 16, max_pixels=1000)
    assert caught.value.kind == "too large"


def test_too_much_time_is_a_fault_of_the_file(narrow):
    with pytest.raises(ImageError, match=r"more than 0.3 s of processor") as caught:
        load_bounded(progressive(2000, 400), "photo", 16)
    assert caught.value.kind == "too large"
    assert load_bounded(progressive(30, 400), "photo", 16).shape == (16, 16, 3)


def test_too_much_memory_is_a_fault_of_the_file(narrow):
    large = encoded(Image.new("RGB", (6000, 6000)), "TIFF", compression="tiff_deflate")
    assert len(large) < 1 << 20
    with pytest.raises(ImageError):
        load_bounded(large, "photo", 16)
    assert load_bounded(encoded(noise(1), "TIFF"), "photo", 16).shape == (16, 16, 3)
