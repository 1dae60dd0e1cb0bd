"""What each change does to a sketch, and what it leaves alone."""

import numpy as np
import pytest
from PIL import Image

from sbirctl.core.seeds import rng_for
from sbirctl.drawings.distortions import DISTORTIONS, distort, line_width, missing

BY_NAME = {one.name: one for one in DISTORTIONS}


@pytest.fixture
def sketch():
    """(1, 128, 128, 1): a cross off the middle, lines 4 pixels wide."""
    grey = np.full((1, 128, 128, 1), 255, np.uint8)
    grey[0, 20:100, 40:44] = grey[0, 50:54, 20:110] = 0
    return grey


def ink(pixels):
    return int((255 - pixels.astype(int)).sum())


def changed(sketch, name, strength):
    return distort(sketch, BY_NAME[name].change, strength, rng_for(0))


@pytest.mark.parametrize("name", BY_NAME)
def test_every_change_keeps_form_and_repeats(sketch, name):
    for strength in BY_NAME[name].strengths:
        made = changed(sketch, name, strength)
        assert made.shape == sketch.shape
        assert made.dtype == np.uint8
        assert (made != sketch).any()
        assert np.array_equal(made, changed(sketch, name, strength))


@pytest.mark.parametrize("side", [64, 224, 256])
def test_lines_are_as_much_wider_as_said(side):
    grey = np.full((side, side), 255, np.uint8)
    grey[:, 30:34] = 0
    for pixels in (-1, 2, 4, 8):
        made = np.asarray(line_width(Image.fromarray(grey), pixels, rng_for(0)))
        wider = (255 - made[side // 2].astype(int)).sum() / 255 - 4
        assert wider == pytest.approx(pixels * side / 256, abs=0.3)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_no_more_ink_is_gone_than_said(sketch, share):
    made = changed(sketch, "missing strokes", share)
    lost = 1 - ink(made) / ink(sketch)
    assert share - 0.1 < lost <= share
    assert (made >= sketch).all()
    assert np.array_equal(
        missing(Image.fromarray(sketch[0, ..., 0]), 0.0, rng_for(0)), sketch[0, ..., 0]
    )


def test_the_mirror_changes_left_and_right(sketch):
    assert np.array_equal(changed(sketch, "mirrored", 1), sketch[:, :, ::-1])


def test_scale_keeps_the_middle(sketch):
    made = changed(sketch, "scale", 0.5)
    rows, columns = np.nonzero(made[0, ..., 0] < 128)
    assert rows.min() == pytest.approx(64 + (20 - 64) / 2, abs=1)
    assert columns.max() == pytest.approx(64 + (110 - 64) / 2, abs=1)


def test_noise_has_the_deviation(sketch):
    grey = np.full((1, 128, 128, 1), 128, np.uint8)
    assert (changed(grey, "noise", 0.1) / 255).std() == pytest.approx(0.1, rel=0.05)
