"""The robustness card: a panel a distortion, its sketches above the figures they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sbirctl.report import style
from sbirctl.report.text_layout import name_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACROSS = 3
_HEIGHT, _STRIP = 1.5, 0.55  # inches
_PLACES = 5  # sketches side by side in every panel, so that all are of one size


@dataclass(frozen=True)
class Trial:
    """A figure at one strength, with its bootstrap interval."""

    strength: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """A distortion.

    Attributes:
        name, unit: in words. trials: the weakest first.
        examples: (size, size) uint8, the first query at each strength.
    """

    name: str
    unit: str
    trials: Sequence[Trial]
    examples: Sequence[np.ndarray]


@dataclass(frozen=True)
class RobustnessCard:
    """All that was measured.

    Attributes:
        metric: its name. plain: sketches as they are. chance: of a random order.
        example: (size, size) uint8, the first query as it is.
        panels: one a distortion. queries, photos: how many.
    """

    metric: str
    plain: Trial
    chance: float
    example: np.ndarray
    panels: Sequence[Panel]
    queries: int
    photos: int


def draw_card(card: RobustnessCard, name: str, *, level: float) -> Figure:
    """The picture, two columns of a paper wide.

    Args:
        name: of the run. level: of the intervals.
    """
    down = -(-len(card.panels) // _ACROSS)
    top = min(1.02, 1.1 * max(t.high for p in card.panels for t in (card.plain, *p.trials)))
    title = name_lines(
        f"{name}: {card.queries:,} queries, {card.photos:,} photos", style.PAGE - 0.6, 8
    )
    with style.style():
        height = down * (_HEIGHT + _STRIP + 0.45) + 0.56 + 0.14 * len(title)
        figure = Figure(figsize=(style.PAGE, height), layout="constrained")
        grid = figure.add_gridspec(2 * down, _ACROSS, height_ratios=[_STRIP, _HEIGHT] * down)
        for place, panel in enumerate(card.panels):
            row, column = divmod(place, _ACROSS)
            _sketches(figure.add_subplot(grid[2 * row, column]), card.example, panel)
            axes = figure.add_subplot(grid[2 * row + 1, column])
            _figures(axes, card, panel)
            axes.set_ylim(0, top)
            if not column:
                axes.set_ylabel(card.metric)
        figure.suptitle("\n".join(title))
        lines = [
            Line2D([], [], color=style.palette(1)[0], marker="o", markersize=3),
            Line2D([], [], color=style.INK, linestyle="--", linewidth=0.8),
            Line2D([], [], color=style.GREY, linestyle=":", linewidth=0.8),
        ]
        words = (
            f"changed, with its {round(100 * level)} % interval",
            f"as drawn, {card.plain.value:.3f}",
            f"chance, {card.chance:.3f}",
        )
        figure.legend(lines, words, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _sketches(axes: Axes, plain: np.ndarray, panel: Panel) -> None:
    """The sketches at the places of their figures below."""
    for place, grey in enumerate((plain, *panel.examples)):
        axes.imshow(
            grey, cmap="gray", vmin=0, vmax=255, extent=(place - 0.46, place + 0.46, 0, 0.92)
        )
    axes.set(xlim=(-0.5, _PLACES - 0.5), ylim=(-0.02, 0.94), aspect="equal")
    axes.set_title(panel.name, loc="left")
    axes.set_axis_off()


def _figures(axes: Axes, card: RobustnessCard, panel: Panel) -> None:
    trials = (card.plain, *panel.trials)
    places, values = np.arange(len(trials)), [trial.value for trial in trials]
    reach = [[t.value - t.low for t in trials], [t.high - t.value for t in trials]]
    axes.axhline(card.plain.value, color=style.INK, linestyle="--", linewidth=0.8)
    axes.axhline(card.chance, color=style.GREY, linestyle=":", linewidth=0.8)
    axes.errorbar(
        places, values, yerr=reach, color=style.palette(1)[0], marker="o", markersize=3,
        linewidth=1, capsize=2, elinewidth=0.7,
    )  # fmt: skip
    for place, value, trial in zip(places, values, trials, strict=True):
        axes.annotate(
            f"{value:.2f}", (place, trial.high), xytext=(0, 2), textcoords="offset points",
            ha="center", fontsize=6,
        )  # fmt: skip
    several = [f"{trial.strength:g}".replace("-", "−") for trial in panel.trials]
    axes.set_xticks(places, ["as drawn", *(several if panel.unit else ["\nchanged"])])
    axes.set_xlabel(panel.unit, labelpad=1)
    axes.set_xlim(-0.5, _PLACES - 0.5)
    axes.tick_params(labelsize=6)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
