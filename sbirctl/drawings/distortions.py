"""Sketches as other hands and scanners give them: one change at a time, at known strengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from sbirctl.drawings.placement import PAPER

Change = Callable[[Image.Image, float, np.random.Generator], Image.Image]
_REFERENCE = 256  # pixels of a side that line widths are told for
_CELLS = 8  # along each side, of which some are emptied


@dataclass(frozen=True)
class Distortion:
    """A change of a sketch and the strengths it is tried at.

    Attributes:
        name: for people. unit: of the strengths, in words; "" where there is but one.
        strengths: the weakest first. change: takes a square picture (mode L, dark on white), a
            strength and a generator, and gives one of the same size.
    """

    name: str
    unit: str
    strengths: Sequence[float]
    change: Change


def line_width(image: Image.Image, pixels: float, _: np.random.Generator) -> Image.Image:
    """Lines that are so much wider, or narrower; of a side of 256."""
    zoom = -(-4 * _REFERENCE // image.width)  # so that a fraction of a pixel counts
    large = image.resize((image.width * zoom, image.height * zoom), Image.Resampling.BICUBIC)
    steps = round(abs(pixels) * zoom * image.width / _REFERENCE / 2)
    filters = ImageFilter.MinFilter(3) if pixels > 0 else ImageFilter.MaxFilter(3)
    for _step in range(steps):
        large = large.filter(filters)
    return large.reduce(zoom)


def missing(image: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """A share of the ink is gone: squares of an 8 x 8 grid are emptied, in random order, as long as
    no more than that is lost."""
    grey = np.array(image)
    edges = np.linspace(0, len(grey), _CELLS + 1).round().astype(int)
    cells = [
        (slice(*edges[i : i + 2]), slice(*edges[j : j + 2]))
        for i in range(_CELLS)
        for j in range(_CELLS)
    ]
    ink = PAPER - grey.astype(np.int64)
    left = share * float(ink.sum())
    for place in rng.permutation(len(cells)):
        lost = float(ink[cells[place]].sum())
        if 0 < lost <= left:
            grey[cells[place]] = PAPER
            left -= lost
    return Image.fromarray(grey)


def rotation(image: Image.Image, degrees: float, rng: np.random.Generator) -> Image.Image:
    """Turned about its centre, left or right by chance; what leaves the sheet is lost."""
    sign = 1 if rng.random() < 0.5 else -1
    return image.rotate(sign * degrees, Image.Resampling.BICUBIC, fillcolor=PAPER)


def noise(image: Image.Image, deviation: float, rng: np.random.Generator) -> Image.Image:
    """Normal noise on every pixel, its deviation a share of the way from black to white."""
    grey = np.asarray(image, dtype=np.float64)
    made = grey + rng.normal(0, deviation * PAPER, grey.shape)
    return Image.fromarray(np.clip(made.round(), 0, PAPER).astype(np.uint8))


def scale(image: Image.Image, factor: float, _: np.random.Generator) -> Image.Image:
    """The whole sheet reduced, in the middle of a white one."""
    side = max(round(image.width * factor), 1)
    sheet = Image.new("L", image.size, PAPER)
    place = (image.width - side) // 2
    sheet.paste(image.resize((side, side), Image.Resampling.LANCZOS), (place, place))
    return sheet


def mirrored(image: Image.Image, _strength: float, _: np.random.Generator) -> Image.Image:
    """Left and right changed."""
    return ImageOps.mirror(image)


DISTORTIONS = (
    Distortion("line width", "pixels of 256 added", (-1, 2, 4, 8), line_width),
    Distortion("missing strokes", "share of the ink that is gone", (0.1, 0.3, 0.5), missing),
    Distortion("rotation", "degrees", (5, 10, 20, 45), rotation),
    Distortion("noise", "deviation, black to white = 1", (0.1, 0.2, 0.4), noise),
    Distortion("scale", "of the size", (0.8, 0.6, 0.4), scale),
    Distortion("mirrored", "", (1,), mirrored),
)


def distort(
    pixels: np.ndarray, change: Change, strength: float, rng: np.random.Generator
) -> np.ndarray:
    """Changed sketches.

    Args:
        pixels: (n, size, size, 1) uint8, dark on white.

    Returns:
        The same shape and type.
    """
    made = [np.asarray(change(Image.fromarray(one[..., 0]), strength, rng)) for one in pixels]
    return np.stack(made)[..., None]
