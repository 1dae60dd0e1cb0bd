"""Colour layers against the formulas written out for one pixel."""

import colorsys

import numpy as np
import pytest
import torch

from sbirctl.edges.color import HUES, SATURATIONS, VALUES, color_words, lab_layers, stretched


def test_every_channel_is_stretched_by_itself() -> None:
    photo = torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    photo[0, 0] = torch.tensor([[10, 20], [30, 50]])
    photo[0, 1] = 77
    photo[1, 0, 0, 0] = 200
    rgb = stretched(photo)
    assert rgb[0, 0].tolist() == [[0, 0.25], [0.5, 1]]
    assert rgb[0, 1].tolist() == [[0, 0], [0, 0]]
    assert rgb[1, 0].tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize("rgb", [(1, 1, 1), (0, 0, 0), (1, 0, 0), (0.2, 0.5, 0.9), (0.003,) * 3])
def test_lab_by_its_formula(rgb: tuple[float, ...]) -> None:
    matrix = np.array(
        [
            [0.412453, 0.357580, 0.180423],
            [0.212671, 0.715160, 0.072169],
            [0.019334, 0.119193, 0.950227],
        ]
    )
    xyz = matrix @ np.array(rgb) / np.array([0.950456, 1, 1.088754])
    f = [t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz]
    lightness = 116 * f[1] - 16 if xyz[1] > 0.008856 else 903.3 * xyz[1]
    expected = [lightness, 1.9 * 500 * (f[0] - f[1]), 1.9 * 200 * (f[1] - f[2])]
    found = (
        lab_layers(torch.tensor(rgb, dtype=torch.float32).view(1, 3, 1, 1), 1.9).flatten().tolist()
    )
    assert found == pytest.approx(expected, abs=2e-3)


def test_lab_of_white_is_100_0_0() -> None:
    white = lab_layers(torch.ones(1, 3, 1, 1), 1.9).flatten().tolist()
    assert white == pytest.approx([100, 0, 0], abs=2e-3)


def test_words_by_the_standard_library() -> None:
    rgb = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(3))
    hsv = np.array(
        [[colorsys.rgb_to_hsv(*pixel) for pixel in row] for row in rgb[0].permute(1, 2, 0).tolist()]
    )
    low, high = hsv.min((0, 1)), hsv.max((0, 1))
    h, s, v = ((hsv - low) / (high - low)).transpose(2, 0, 1)
    expected = np.round(h * 14) + 15 * np.round(s * 10) + 165 * np.round(v * 6)
    assert color_words(rgb)[0].tolist() == expected.astype(int).tolist()


def test_words_stay_in_range_for_grey_black_and_flat() -> None:
    grey = torch.linspace(0, 1, 25).view(1, 1, 5, 5).expand(1, 3, 5, 5)
    assert set((color_words(grey) % (HUES * SATURATIONS)).unique().tolist()) == {0}
    assert color_words(grey).max() == HUES * SATURATIONS * (VALUES - 1)
    assert color_words(torch.zeros(1, 3, 4, 4)).unique().tolist() == [0]
