"""Where drawings lie on their sheets, and putting one where the model's training sketches lay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

INK = 200  # grey value below which a pixel is ink
PAPER = 255


@dataclass(frozen=True)
class Placement:
    """How much of their sheets a model's training sketches fill, all as shares of the side.

    Attributes:
        low, high: bounds of the longer side of the ink's box within which a drawing stays as it is.
        fill: what a drawing outside them is brought to.
        shift: largest distance of the box's centre from the sheet's, along either axis.
    """

    low: float = 0.6
    fill: float = 0.85
    high: float = 1.0
    shift: float = 0.12


@dataclass(frozen=True)
class Box:
    """The bounds of the ink in pixels, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def longer(self) -> int:
        """The longer side."""
        return max(self.right - self.left, self.bottom - self.top)


def ink_box(grey: np.ndarray) -> Box | None:
    """Bounds of what is darker than paper; None for an empty sheet.

    Args:
        grey: (h, w) uint8, dark on white.
    """
    ink = grey < INK
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not len(rows):
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def measure_placement(sketches: Iterable[np.ndarray]) -> Placement:
    """The placement of some training sketches: 5th, 50th and 95th percentile.

    Args:
        sketches: (size, size) uint8 each; empty ones do not count.
    """
    fills, shifts = [], []
    for grey in sketches:
        box = ink_box(grey)
        if box is not None:
            side = len(grey)
            fills.append(box.longer / side)
            shifts.append(_off_centre(box, side))
    if not fills:
        return Placement()
    low, fill, high = (float(value) for value in np.percentile(fills, (5, 50, 95)))
    return Placement(low, fill, high, float(np.percentile(shifts, 95)))


def normalize_placement(image: Image.Image, placement: Placement) -> Image.Image:
    """A drawing on a square sheet, scaled and moved where it lies unlike the training's.

    One that fits is returned as it is: training sketches pass unchanged. An empty sheet too.

    Args:
        image: mode L, dark on white.
    """
    sheet = pad_to_square(image)
    box = ink_box(np.asarray(sheet))
    if box is None or _fits(box, sheet.width, placement):
        return sheet
    # a sheet on which the ink's box fills what it should, centred
    side = max(round(box.longer / placement.fill), 1)
    x = round((box.left + box.right - side) / 2)
    y = round((box.top + box.bottom - side) / 2)
    framed = Image.new("L", (side, side), PAPER)
    ink = sheet.crop((box.left, box.top, box.right, box.bottom))
    framed.paste(ink, (box.left - x, box.top - y))
    return framed


def pad_to_square(image: Image.Image) -> Image.Image:
    """A drawing (mode L) in the middle of a square white sheet of its longer side."""
    side = max(image.size)
    if image.size == (side, side):
        return image
    sheet = Image.new("L", (side, side), PAPER)
    sheet.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return sheet


def _fits(box: Box, side: int, placement: Placement) -> bool:
    fill = box.longer / side
    return placement.low <= fill <= placement.high and _off_centre(box, side) <= placement.shift


def _off_centre(box: Box, side: int) -> float:
    return max(abs(box.left + box.right - side), abs(box.top + box.bottom - side)) / (2 * side)
