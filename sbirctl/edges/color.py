"""Colour layers of Gb: stretched channels, CIELAB without removal of gamma, quantised HSV."""

from __future__ import annotations

import torch
from torch import Tensor

from sbirctl.edges.boundary import unit_range

# ITU-R BT.709 primaries, white D65; each row divided by the white point.
_RGB_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE = (0.950456, 1.0, 1.088754)
_LINEAR_BELOW = 0.008856
HUES, SATURATIONS, VALUES = 15, 11, 7
WORDS = HUES * SATURATIONS * VALUES


def stretched(photos: Tensor) -> Tensor:
    """(n, 3, H, W) uint8 to float32 with every channel of every photo stretched to 0..1."""
    return unit_range(photos.float(), (2, 3))


def lab_layers(rgb: Tensor, chroma: float) -> Tensor:
    """CIELAB with a and b weighted by `chroma`.

    As in the authors' code RGB is taken as linear, so that the values differ from those of
    libraries, which remove the gamma of sRGB first.

    Args:
        rgb: (n, 3, H, W) float32 in 0..1.

    Returns:
        (n, 3, H, W) float32: L (0..100), chroma a, chroma b.
    """
    matrix = rgb.new_tensor(_RGB_TO_XYZ) / rgb.new_tensor(_WHITE)[:, None]
    n, _, height, width = rgb.shape
    xyz = (matrix @ rgb.reshape(n, 3, -1)).view(n, 3, height, width)
    root = xyz.clamp(min=_LINEAR_BELOW).pow(1 / 3)
    curve = torch.where(xyz > _LINEAR_BELOW, root, 7.787 * xyz + 16 / 116)
    x, y, z = curve.unbind(1)
    luminance = xyz[:, 1]
    lightness = torch.where(luminance > _LINEAR_BELOW, 116 * y - 16, 903.3 * luminance)
    return torch.stack([lightness, chroma * 500 * (x - y), chroma * 200 * (y - z)], 1)


def color_words(rgb: Tensor) -> Tensor:
    """Each pixel's colour as one of 15 x 11 x 7 words of stretched hue, saturation and value.

    Args:
        rgb: (n, 3, H, W) float32 in 0..1.

    Returns:
        (n, H, W) int64 in 0..1154.
    """
    hue, saturation, value = unit_range(_hsv(rgb), (2, 3)).unbind(1)
    word = (hue * (HUES - 1)).round()
    word += HUES * (saturation * (SATURATIONS - 1)).round()
    word += HUES * SATURATIONS * (value * (VALUES - 1)).round()
    return word.long()


def _hsv(rgb: Tensor) -> Tensor:
    value, strongest = rgb.max(1)
    chroma = value - rgb.amin(1)
    divisor = torch.where(chroma > 0, chroma, 1)
    red, green, blue = rgb.unbind(1)
    hue = torch.where(
        strongest == 0,
        ((green - blue) / divisor) % 6,
        torch.where(strongest == 1, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    saturation = chroma / torch.where(value > 0, value, 1)
    return torch.stack([hue / 6, saturation, value], 1)
