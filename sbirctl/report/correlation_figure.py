"""The picture of sketch-photo correlation matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from sbirctl.core.files import display_path
from sbirctl.report import style
from sbirctl.report.correlation import Correlation
from sbirctl.report.text_layout import ellipsize_inches, inches, name_lines

_ROW, _VALUED_ROW = 0.08, 0.18  # inches: the least a class needs to be read, with its values
_LARGEST = 8.0  # points
_NAME = 1.6  # inches: most of a class's name
_TITLE, _LINE, _AXIS, _PAD = 0.22, 0.14, 0.17, 0.05  # inches
_BAR, _LABEL = 0.1, 0.3  # inches: width of the scale, and of its label and the marks beside it
_DARK = 0.21  # relative luminance from which dark text is easier to read


def draw(
    found: Sequence[Correlation],
    titles: Sequence[str],
    *,
    values: bool = False,
    columns: Literal[1, 2] = 2,
) -> Figure:
    """Matrices side by side on one scale of colours.

    Wider than a page where there are so many classes that their names could not be read.

    Args:
        values: write the cosines into the cells.
        columns: width in columns of a paper.
    """
    size = max(len(one.classes) for one in found)
    least = (_VALUED_ROW if values else _ROW) * size
    low = float(min(one.matrix.min() for one in found))
    high = float(max(one.matrix.max() for one in found))
    ticks = MaxNLocator(6).tick_values(low, high)
    beside = 2 * _PAD + _BAR + _LABEL + max(inches(f"{round(t, 9):g}", _LARGEST) for t in ticks)
    room = (style.COLUMN if columns == 1 else style.PAGE) - beside
    points = _LARGEST
    for _ in range(2):  # smaller text leaves more room for the matrix
        names = max(inches(name, points) for one in found for name in _shown(one, points))
        side = max(room / len(found) - _AXIS - names - 2 * _PAD, least)
        points = min(_LARGEST, 0.9 * 72 * side / size)
    step = _AXIS + names + 2 * _PAD + side
    heads = [name_lines(display_path(title), side + names, _LARGEST) for title in titles]
    head = _TITLE + (max(map(len, heads)) - 1) * _LINE
    width, height = len(found) * step + beside, head + side + names + 2 * _AXIS
    bottom = (names + 2 * _AXIS) / height
    with style.style():
        figure = Figure(figsize=(width, height))
        for place, (one, lines) in enumerate(zip(found, heads, strict=True)):
            left = (place + 1) * step - side
            own = figure.add_axes((left / width, bottom, side / width, side / height))
            image = own.imshow(one.matrix, cmap="cividis", vmin=low, vmax=high, aspect="auto")
            _label(own, one, points)
            own.set_title("\n".join(lines), x=1.0, ha="right")
            if values:
                _values(own, image, one.matrix, side / size)
        left = len(found) * step + 2 * _PAD
        scale = figure.add_axes((left / width, bottom, _BAR / width, side / height))
        bar = figure.colorbar(image, cax=scale, ticks=MaxNLocator(6), label="cosine of class means")
        bar.outline.set_visible(False)
    return figure


def _shown(one: Correlation, points: float) -> list[str]:
    return [ellipsize_inches(display_path(name), _NAME, points) for name in one.classes]


def _label(axes: Axes, one: Correlation, points: float) -> None:
    shown, places = _shown(one, points), np.arange(len(one.classes))
    axes.set_xticks(places, shown, rotation=90, fontsize=points)
    axes.set_yticks(places, shown, fontsize=points)
    axes.tick_params(length=0, pad=_PAD * 72 / 2)
    axes.set_xlabel("photos", labelpad=1)
    axes.set_ylabel("sketches", labelpad=1)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _values(axes: Axes, image: AxesImage, matrix: np.ndarray, cell: float) -> None:
    size = min(cell * 72 * 0.42, 7)
    shades = np.asarray(image.cmap(image.norm(matrix)))[..., :3] ** 2.2 @ (0.2126, 0.7152, 0.0722)
    for (i, j), value in np.ndenumerate(matrix):
        colour = style.INK if shades[i, j] > _DARK else "white"
        text = f"{round(value, 2) + 0.0:.2f}".replace("0.", ".", 1)  # + 0.0: no "-.00"
        axes.text(j, i, text, ha="center", va="center", fontsize=size, color=colour)
