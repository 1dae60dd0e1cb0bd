"""Pictures of curves: a panel a figure, a colour a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sbirctl.report import style
from sbirctl.report.curves import RankingCurves
from sbirctl.report.curves_log import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL = 1.75  # inches: height
_MARKED = 12  # points up to which each is marked
_STYLES = {"loss": "-", "validation": "-", "unseen": "--"}
_TITLES = {"norm": "gradient norm", "total": "total loss"}


def draw_training(
    runs: Sequence[Sequence[Series]], names: Sequence[str], *, columns: Literal[1, 2] = 2
) -> Figure:
    """A panel a loss term and a panel a metric; unseen classes are dashed, a refit is thin."""
    keys = _panel_keys(runs)
    figure, panels = _panels(len(keys), columns, 1 if columns == 1 else 3, names)
    with style.style():
        colours = style.palette(len(runs))
        for axes, key in zip(panels, keys, strict=True):
            _curves(axes, runs, key, colours)
            loss = key[0] == "loss"
            _dress(axes, _TITLES.get(key[1], key[1]), "step" if loss else "epoch", "")
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        kinds = {series.kind for run in runs for series in run}
        phases = {series.phase for run in runs for series in run}
        more = []
        if "unseen" in kinds:
            more += [_sample("-", "validation")] if "validation" in kinds else []
            more.append(_sample("--", "unseen classes, only logged"))
        if len(phases) > 1:
            more.append(_sample("-", "refit on all seen classes", 0.7))
        _legend(figure, names, colours, more)
    return figure


def draw_ranking(
    runs: Sequence[RankingCurves],
    names: Sequence[str],
    *,
    level: float,
    columns: Literal[1, 2] = 2,
) -> Figure:
    """Precision over recall and precision at K, each with its band."""
    figure, (recall, cut) = _panels(2, columns, columns, names, 2.4)
    with style.style():
        colours = style.palette(len(runs))
        for run, colour in zip(runs, colours, strict=True):
            for axes, curve in ((recall, run.recall), (cut, run.cut)):
                axes.fill_between(
                    curve.x, curve.low, curve.high, color=colour, alpha=0.2, linewidth=0
                )
                axes.plot(curve.x, curve.y, color=colour, linewidth=1.2)
        _dress(recall, "", "recall", "precision (interpolated)")
        _dress(cut, "", "K", "precision@K")
        highest = max(float(c.high.max()) for run in runs for c in (run.recall, run.cut))
        top = min(1.02, 1.08 * highest)
        recall.set(xlim=(0, 1), ylim=(0, top))
        last = max(float(run.cut.x[-1]) for run in runs)
        cut.set(xlim=(1, max(last, 2)), ylim=(0, top))
        band = Line2D([], [], color=style.GREY, alpha=0.35, linewidth=6)
        band.set_label(f"{level:.0%} bootstrap band over queries".replace("%", " %"))
        _legend(figure, names, colours, [band])
    return figure


def _panel_keys(runs: Sequence[Sequence[Series]]) -> list[tuple[str, str]]:
    """Losses first; a total of one term is that term and has no panel of its own."""
    keys = list(dict.fromkeys(_panel_key(series) for run in runs for series in run))
    terms = [key for key in keys if key[0] == "loss" and key[1] not in ("total", "norm")]
    if len(terms) == 1:
        keys = [key for key in keys if key != ("loss", "total")]
    return sorted(keys, key=lambda key: key[0] != "loss")


def _panel_key(series: Series) -> tuple[str, str]:
    return ("loss" if series.kind == "loss" else "figure", series.name)


def _curves(
    axes: Axes,
    runs: Sequence[Sequence[Series]],
    key: tuple[str, str],
    colours: Sequence[tuple[float, float, float]],
) -> None:
    for run, colour in zip(runs, colours, strict=True):
        for series in run:
            if _panel_key(series) != key:
                continue
            axes.plot(
                series.x,
                series.y,
                _STYLES[series.kind],
                color=colour,
                linewidth=1.2 if series.phase == "train" else 0.7,
                marker="o" if np.isfinite(series.y).sum() <= _MARKED else "",
                markersize=2.5,
            )


def _panels(
    count: int, columns: int, across: int, names: Sequence[str], height: float = _PANEL
) -> tuple[Figure, list[Any]]:
    width = style.COLUMN if columns == 1 else style.PAGE
    across = min(across, count)
    down = -(-count // across)
    lines = sum(len(style.legend_lines(name, width)) for name in names)
    with style.style():
        figure = Figure(figsize=(width, down * height + 0.16 * (lines + 2)), layout="constrained")
        panels = [figure.add_subplot(down, across, place + 1) for place in range(count)]
    return figure, panels


def _dress(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x, labelpad=1)
    axes.set_ylabel(y)
    axes.tick_params(labelsize=7)
    axes.grid(color="#EEEEEE", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _sample(line: str, label: str, width: float = 1.2) -> Line2D:
    return Line2D([], [], color=style.GREY, linestyle=line, linewidth=width, label=label)


def _legend(
    figure: Figure,
    names: Sequence[str],
    colours: Sequence[tuple[float, float, float]],
    more: Sequence[Line2D],
) -> None:
    named = zip(names, colours, strict=True)
    handles = [Line2D([], [], color=colour, label=name) for name, colour in named if name]
    if handles or more:
        style.legend_below(figure, [*handles, *more])
