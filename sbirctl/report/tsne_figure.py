"""The picture of a t-SNE: one colour a class, a marker a modality, the legend below the points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sbirctl.core.files import display_path
from sbirctl.report import style
from sbirctl.report.tsne import Projection

Layout = Literal["one", "two"]
_MARKERS = ("o", "^")  # photos, sketches
_MODALITY_NAMES = ("photos", "sketches")
_NUMBERED = 10  # more classes than this are numbered in the picture too
_LEGEND_ROW, _TITLE_ROW = 0.155, 0.3  # inches
_LETTER = 0.065  # inches, on average


def draw(
    projections: Sequence[Projection],
    titles: Sequence[str],
    *,
    layout: Layout = "one",
    columns: Literal[1, 2] = 2,
) -> Figure:
    """A picture of one projection, or of several for comparison.

    Args:
        projections: one a run; classes of one name have one colour in all of them.
        titles: one a projection; "" for none.
        layout: "one" shows both modalities in one panel, "two" sketches left and photos right on
            equal axes. Several runs stand side by side in "one", one below the other in "two".
        columns: width of the picture in columns of a paper.
    """
    classes = tuple(dict.fromkeys(name for p in projections for name in p.classes))
    colours = dict(zip(classes, style.palette(len(classes)), strict=True))
    rows, across = (1, len(projections)) if layout == "one" else (len(projections), 2)
    width = style.COLUMN if columns == 1 else style.PAGE
    side = min(width / across, 4.6)
    legend_columns = _legend_columns(classes, width)
    title_row = _TITLE_ROW if layout == "two" or any(titles) else 0.05
    height = rows * (side + title_row) + _LEGEND_ROW * (
        np.ceil((len(classes) + 2) / legend_columns) + 1
    )
    with style.style():
        figure = Figure(figsize=(width, float(height)), layout="constrained")
        for number, (projection, title) in enumerate(zip(projections, titles, strict=True)):
            shown: list[tuple[int, ...]] = [(0, 1)] if layout == "one" else [(1,), (0,)]
            for place, modalities in enumerate(shown):
                axes = figure.add_subplot(rows, across, number * len(shown) + place + 1)
                named = _MODALITY_NAMES[modalities[0]].capitalize() if layout == "two" else ""
                axes.set_title(_heading(title, named, side), parse_math=False)
                _panel(axes, projection, modalities, colours)
        _legend(figure, colours, legend_columns)
    return figure


def _heading(title: str, modality: str, side: float) -> str:
    """Both in one line of at most the panel's width; ids of runs are cut in the middle."""
    room = int(side / _LETTER) - len(modality) - 2
    if len(title) > room:
        title = f"{title[: room // 2]}…{title[-(room // 2 - 1) :]}"
    return ": ".join(part for part in (title, modality) if part)


def _panel(
    axes: Any,
    projection: Projection,
    modalities: Sequence[int],
    colours: dict[str, tuple[float, float, float]],
) -> None:
    """Points of some modalities in the frame of all, so that panels of one run compare."""
    low, high = projection.xy.min(axis=0), projection.xy.max(axis=0)
    middle, half = (low + high) / 2, 0.54 * float((high - low).max())
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    axes.set(aspect="equal", xticks=[], yticks=[])  # t-SNE's axes have no unit
    table = np.array([colours[name] for name in projection.classes])
    size = float(np.clip(9000 / len(projection.xy), 9, 26))
    # Shuffled, or the last class would lie on top of all others.
    order = np.random.default_rng(0).permutation(len(projection.xy))
    for modality in modalities:
        which = order[projection.modality[order] == modality]
        axes.scatter(
            *projection.xy[which].T,
            s=size,
            c=table[projection.label[which]],
            marker=_MARKERS[modality],
            edgecolors="white",
            linewidths=0.3,
            zorder=2 + modality,
        )
    if len(colours) > _NUMBERED:
        _number(axes, projection, modalities, list(colours))


def _number(axes: Any, projection: Projection, modalities: Sequence[int], names: list[str]) -> None:
    """The legend's number of each class, above the point nearest to the class's median."""
    for code, name in enumerate(projection.classes):
        own = projection.xy[(projection.label == code) & np.isin(projection.modality, modalities)]
        if not len(own):
            continue
        nearest = np.argmin(((own - np.median(own, axis=0)) ** 2).sum(axis=1))
        text = axes.annotate(
            str(names.index(name) + 1),
            own[nearest],
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            zorder=9,
        )
        text.set_path_effects([patheffects.withStroke(linewidth=1.5, foreground="white")])


def _legend(figure: Figure, colours: dict[str, tuple[float, float, float]], columns: int) -> None:
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=style.GREY, label=name, markersize=5)
        for marker, name in zip(_MARKERS, _MODALITY_NAMES, strict=True)
    ]
    numbered = len(colours) > _NUMBERED
    for number, (name, colour) in enumerate(colours.items(), 1):
        shown = display_path(name)
        label = f"{number} {shown}" if numbered else shown
        handles.append(
            Line2D([], [], linestyle="", marker="s", color=colour, label=label, markersize=5)
        )
    legend = figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, frameon=False,
        handletextpad=0.2, columnspacing=0.9, labelspacing=0.35, borderpad=0.2,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def _legend_columns(classes: Sequence[str], width: float) -> int:
    """As many columns as the longest name leaves room for."""
    longest = max(len(display_path(name)) for name in (*classes, *_MODALITY_NAMES)) + 3
    return max(min(int(width / (_LETTER * longest + 0.22)), len(classes) + 2), 1)
