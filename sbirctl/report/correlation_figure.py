"""The picture of sketch-photo correlation matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure

from sbirctl.core.files import display_path
from sbirctl.report import style
from sbirctl.report.correlation import Correlation

_ROW = 0.095  # inches: the least height of a class that can still be read
_LETTER = 0.55  # of a letter's size, its width on average


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
    names = [display_path(name) for one in found for name in one.classes]
    width = style.COLUMN if columns == 1 else style.PAGE
    least = max(0.24 if values else _ROW, _ROW)
    letters = 8.0 if size <= 25 else max(8 - (size - 25) / 25, 5.5)
    labels = min(max(map(len, names)), 28) * letters * _LETTER / 72 + 0.15
    side = max((width - 0.45) / len(found) - labels, least * size)
    low = float(min(one.matrix.min() for one in found))
    high = float(max(one.matrix.max() for one in found))
    with style.style():
        figure = Figure(
            figsize=(len(found) * (side + labels) + 0.55, side + labels + 0.55),
            layout="constrained",
        )
        axes = figure.subplots(1, len(found), squeeze=False)[0]
        for own, one, title in zip(axes, found, titles, strict=True):
            image = own.imshow(one.matrix, cmap="cividis", vmin=low, vmax=high)
            _label(own, one, letters, title)
            if values:
                _values(own, one.matrix, low + 0.6 * (high - low), side / size)
        bar = figure.colorbar(image, ax=list(axes), fraction=0.03, pad=0.01, aspect=30, shrink=0.75)
        bar.set_label("cosine of class means")
        bar.outline.set_visible(False)
    return figure


def _label(axes: Any, one: Correlation, letters: float, title: str) -> None:
    shown = [_short(display_path(name)) for name in one.classes]
    places = np.arange(len(shown))
    axes.set_xticks(places, shown, rotation=90, fontsize=letters, parse_math=False)
    axes.set_yticks(places, shown, fontsize=letters, parse_math=False)
    axes.tick_params(length=0, pad=2)
    axes.set_xlabel("photos")
    axes.set_ylabel("sketches")
    axes.set_title(display_path(title), parse_math=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _values(axes: Any, matrix: np.ndarray, middle: float, cell: float) -> None:
    size = min(cell * 72 * 0.42, 7)
    for (i, j), value in np.ndenumerate(matrix):
        colour = "white" if value < middle else style.INK
        text = f"{round(value, 2) + 0.0:.2f}".replace("0.", ".", 1)  # + 0.0: no "-.00"
        axes.text(j, i, text, ha="center", va="center", fontsize=size, color=colour)


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:13]}…{name[-14:]}"
