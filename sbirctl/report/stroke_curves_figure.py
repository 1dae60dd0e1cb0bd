"""Pictures of retrieval while drawing: rank percentile and 1 / rank over the share drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from sbirctl.report import style
from sbirctl.report.stroke_curves import SHARES, StrokeCurves

_HEIGHT, _STRIP = 2.4, 0.75  # inches
_PERCENT = SHARES * 100


def draw_strokes(
    found: StrokeCurves,
    name: str,
    target: str,
    example: Sequence[Image.Image],
    *,
    level: float,
    columns: Literal[1, 2] = 2,
) -> Figure:
    """Two panels with their bands, below a drawing as it was seen at each share.

    Args:
        name: of the run and what was ranked. target: what is ranked, in words.
        example: a picture a share.
    """
    width = style.COLUMN if columns == 1 else style.PAGE
    down, across = (2, 1) if columns == 1 else (1, 2)
    lines = len(style.legend_lines(name, width))
    height = down * _HEIGHT + _STRIP + 0.37 + 0.13 * lines
    with style.style():
        figure = Figure(figsize=(width, height), layout="constrained")
        heights = [_STRIP, *[_HEIGHT] * down]
        grid = figure.add_gridspec(down + 1, across, height_ratios=heights)
        _strip(figure.add_subplot(grid[0, :]), example)
        colour = style.palette(1)[0]
        panels = (
            ("rank percentile", found.percentile),
            ("1 / rank", found.reciprocal),
        )
        for place, (label, measure) in enumerate(panels):
            axes = figure.add_subplot(grid[1 + place // across, place % across])
            curve = measure.curve
            axes.fill_between(_PERCENT, curve.low, curve.high, color=colour, alpha=0.2, lw=0)
            axes.plot(_PERCENT, curve.y, color=colour, linewidth=1.2, marker="o", markersize=2.5)
            axes.axhline(measure.chance, color=style.GREY, linestyle=":", linewidth=0.8)
            axes.set_title(f"area {measure.area:.3f} ({measure.low:.3f} to {measure.high:.3f})")
            axes.set_xlabel("lines drawn, %", labelpad=1)
            axes.set_ylabel(f"{label} of {target}")
            axes.set(xlim=(5, 105), ylim=(0, 1.02), xticks=_PERCENT)
            axes.tick_params(labelsize=7)
            axes.grid(color="#EEEEEE", linewidth=0.6)
            axes.set_axisbelow(True)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        handles = [
            Line2D([], [], color=colour, label=name),
            Line2D([], [], color=colour, alpha=0.35, linewidth=6),
            Line2D([], [], color=style.GREY, linestyle=":", linewidth=0.8, label="chance"),
        ]
        handles[1].set_label(f"{round(100 * level)} % bootstrap band over drawings")
        style.legend_below(figure, handles)
    return figure


def _strip(axes: object, example: Sequence[Image.Image]) -> None:
    """Pictures side by side, a thin frame around each."""
    framed = []
    for image in example:
        pixels = np.asarray(image.convert("L")).copy()
        pixels[[0, -1], :] = pixels[:, [0, -1]] = 200
        framed.append(pixels)
    axes.imshow(np.hstack(framed), cmap="gray", vmin=0, vmax=255)  # type: ignore[attr-defined]
    axes.set_axis_off()  # type: ignore[attr-defined]
