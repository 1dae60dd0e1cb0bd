"""The picture of sketches asked together with words: figures over the weight of the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sbirctl.report import style
from sbirctl.report.text_layout import name_lines

_HEIGHT = 2.6  # inches


@dataclass(frozen=True)
class TextCurve:
    """One metric over the weight of the words.

    Attributes:
        metric: its name.
        weights: of the words, 0 to 1; the sketch has the rest.
        values, low, high: at each weight, with the bootstrap interval.
        chance: of a random order.
    """

    metric: str
    weights: Sequence[float]
    values: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    chance: float

    @property
    def best(self) -> int:
        """Where the highest value is, the first of equal ones."""
        return max(range(len(self.values)), key=lambda i: self.values[i])


def draw_text(
    curves: Sequence[TextCurve], name: str, *, level: float, columns: Literal[1, 2] = 2
) -> Figure:
    """One panel, a line with its band a metric, chance dotted, the best weight marked.

    Args:
        name: of the run and what was ranked. level: of the bands.
    """
    width = style.COLUMN if columns == 1 else style.PAGE
    title = name_lines(name, width - 0.6, 8)
    with style.style():
        height = _HEIGHT + 0.36 + 0.14 * len(title)
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        handles = []
        for curve, colour in zip(curves, style.palette(len(curves)), strict=True):
            axes.fill_between(curve.weights, curve.low, curve.high, color=colour, alpha=0.2, lw=0)
            axes.plot(curve.weights, curve.values, color=colour, lw=1.2, marker="o", markersize=2.5)
            axes.axhline(curve.chance, color=colour, linestyle=":", linewidth=0.8)
            at = curve.best
            axes.plot(curve.weights[at], curve.values[at], "o", color=colour, ms=6, mfc="none")
            says = f"{curve.metric}: best {curve.values[at]:.3f} at {curve.weights[at]:g}"
            handles.append(Line2D([], [], color=colour, marker="o", markersize=2.5, label=says))
        top = max(max(curve.high) for curve in curves)
        axes.set(xlim=(-0.03, 1.03), ylim=(0, min(1.02, 1.1 * top)), ylabel="figure")
        ends = "(0: the sketch alone, 1: the words alone)"
        between = "\n" if columns == 1 else " "
        axes.set_xlabel(f"weight of the words{between}{ends}", labelpad=1)
        axes.tick_params(labelsize=7)
        axes.grid(color="#EEEEEE", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        band = f"{round(100 * level)} % bootstrap band; dotted: chance"
        handles.append(Line2D([], [], color=style.GREY, alpha=0.35, linewidth=6, label=band))
        figure.suptitle("\n".join(title))
        style.legend_below(figure, handles)
    return figure
