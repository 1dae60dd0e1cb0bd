"""A sheet of where a model looks: activation energy and class-token attention, level by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbirctl.report.style import GREY, style
from sbirctl.report.text_layout import ellipsize_inches

CELL = 1.1  # inches: side of one picture
GAP, HEADING, FOOT = 0.08, 0.34, 0.2
_NAME = 6  # points


@dataclass(frozen=True)
class AttentionRow:
    """One image and its maps.

    Attributes:
        name: shown beneath it.
        image: (size, size, 3) uint8.
        energy: per level (h, w) float, mean square of the activations.
        cls: per level (rows, columns) float, weights of the class token's attention, or None.
    """

    name: str
    image: np.ndarray
    energy: Sequence[np.ndarray]
    cls: Sequence[np.ndarray | None]


def attention_sheet(rows: Sequence[AttentionRow], levels: Sequence[str]) -> Figure:
    """One row an image: the image, then per level its energy and its attention, where it has one.

    Every map is drawn over the image from its own smallest to its own largest value; a map of one
    token is the same everywhere and its heading says so.

    Args:
        rows: at least one, all of one size and with the same levels.
        levels: their names.
    """
    columns = _columns(rows[0], levels)
    wide, high = 1 + len(columns), len(rows)
    width = wide * (CELL + GAP) + GAP
    height = HEADING + high * (CELL + FOOT)
    with style():
        figure = Figure(figsize=(width, height))
        for r, row in enumerate(rows):
            bottom = height - HEADING - r * (CELL + FOOT) - CELL
            maps = [None, *((row.energy, row.cls)[kind][index] for kind, index, _ in columns)]
            for c, values in enumerate(maps):
                left = GAP + c * (CELL + GAP)
                box = (left / width, bottom / height, CELL / width, CELL / height)
                axes = figure.add_axes(box)
                _draw(axes, row.image, values, smooth=c > 0 and columns[c - 1][0] == 0)
                if r == 0:
                    axes.set_title(columns[c - 1][2] if c else "image", pad=3, fontsize=6)
            name = ellipsize_inches(row.name, width - 2 * GAP, _NAME)
            below = (bottom - 0.04) / height
            figure.text(GAP / width, below, name, va="top", fontsize=_NAME, color=GREY)
    return figure


def _columns(row: AttentionRow, levels: Sequence[str]) -> list[tuple[int, int, str]]:
    """(0 energy or 1 attention, level, heading) of every column after the image."""
    made = []
    for index, name in enumerate(levels):
        side = "x".join(map(str, row.energy[index].shape))
        made.append((0, index, f"{name}, energy\n{side}"))
        cls = row.cls[index]
        if cls is not None:
            one = cls.size == 1
            size = "one token: constant" if one else f"{cls.shape[0]}x{cls.shape[1]} tokens"
            made.append((1, index, f"{name}, class token\n{size}"))
    return made


def _draw(axes: Axes, image: np.ndarray, values: np.ndarray | None, *, smooth: bool) -> None:
    size = image.shape[0]
    axes.imshow(image, extent=(0, size, size, 0), interpolation="antialiased")
    if values is not None:
        low, high = float(values.min()), float(values.max())
        spread = (values - low) / (high - low) if high > low else np.full_like(values, 0.5)
        axes.imshow(
            spread,
            cmap="inferno",
            vmin=0,
            vmax=1,
            alpha=0.65,
            extent=(0, size, size, 0),
            interpolation="bilinear" if smooth else "nearest",
        )
    axes.set_axis_off()
