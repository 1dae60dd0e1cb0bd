"""A sheet of edge maps: photo, strength, thin edges and Canny side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from sbirctl.report.style import style
from sbirctl.report.text_layout import ellipsize_inches

PIXELS_PER_INCH = 200  # as `style` saves, so that a pixel of an image is one of the sheet
GAP, HEADING = 8, 28
_NAME = 6  # points


@dataclass(frozen=True)
class SheetRow:
    """One photo with what was found in it.

    Attributes:
        name: of the photo, shown beneath it.
        photo: (size, size, 3) uint8.
        maps: (size, size) uint8 each, dark on white, one a heading.
    """

    name: str
    photo: np.ndarray
    maps: Sequence[np.ndarray]


def edge_sheet(rows: Sequence[SheetRow], headings: Sequence[str]) -> Figure:
    """The sheet, one row a photo, pixel for pixel when saved as PNG.

    Args:
        rows: at least one, all of one size.
        headings: names of the maps; the photo's column comes before them.
    """
    size = rows[0].photo.shape[0]
    columns = 1 + len(headings)
    width = columns * (size + GAP) + GAP
    height = HEADING + len(rows) * (size + HEADING)
    with style():
        figure = Figure(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH))
        for r, row in enumerate(rows):
            for c, image in enumerate([row.photo, *row.maps]):
                left = GAP + c * (size + GAP)
                bottom = height - HEADING - r * (size + HEADING) - size
                box = (left / width, bottom / height, size / width, size / height)
                axes = figure.add_axes(box)
                axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="none")
                axes.set_axis_off()
                if r == 0:
                    axes.set_title(["photo", *headings][c], pad=4)
            below = (height - HEADING - r * (size + HEADING) - size - GAP / 2) / height
            name = ellipsize_inches(row.name, (width - 2 * GAP) / PIXELS_PER_INCH, _NAME)
            figure.text(GAP / width, below, name, va="top", fontsize=_NAME)
    return figure
