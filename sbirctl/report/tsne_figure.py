"""The picture of a t-SNE: one colour a class, a marker a modality, the legend below the points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sbirctl.core.files import display_path
from sbirctl.report import style
from sbirctl.report.text_layout import ellipsize_inches, inches, name_lines
from sbirctl.report.tsne import Projection
from sbirctl.report.tsne_labels import anchors, arrange

Layout = Literal["one", "two"]
_HEADING, _LEGEND = 8, 7  # points, as the style has them
_MARKERS = ("o", "^")  # photos, sketches
_MODALITY_NAMES = ("photos", "sketches")
_NUMBERED = 10  # more classes than this are numbered in the picture too
_CROWD = 40  # more classes than this have small numbers
_TITLE_ROW, _LINE, _GAP, _EDGE = 0.2, 0.13, 0.08, 0.03  # inches
_TALLEST, _NARROWEST = 4.6, 1.55  # inches: of a panel
_NAME = 2.0  # inches: most of a class's name


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
            equal axes. Several runs stand side by side in "one", four in a row of a page and two in
            one of a column; one below the other in "two".
        columns: width of the picture in columns of a paper.
    """
    classes = tuple(dict.fromkeys(name for p in projections for name in p.classes))
    colours = dict(zip(classes, style.palette(len(classes)), strict=True))
    width = style.COLUMN if columns == 1 else style.PAGE
    most = int((width - 2 * _EDGE + _GAP) / (_NARROWEST + _GAP))
    across = min(len(projections), most) if layout == "one" else 2
    rows = -(-len(projections) // across) if layout == "one" else len(projections)
    room = (width - 2 * _EDGE - (across - 1) * _GAP) / across
    panel = _panel_size(projections, room)
    heads = [
        _heading(title, name, panel[0])
        for title in titles
        for name in ([""] if layout == "one" else ["Sketches", "Photos"])
    ]
    broken = max(head.count("\n") for head in heads)
    title_row = _TITLE_ROW + broken * _LINE if layout == "two" or any(titles) else 0.0
    with style.style():
        figure = Figure(figsize=(width, width))
        below = _legend(figure, colours, _counts(projections)) + 2 * _GAP
        row = title_row + panel[1] + _GAP
        height = below + rows * row
        figure.set_size_inches(width, height)
        left = (width - across * panel[0] - (across - 1) * _GAP) / 2
        for number, projection in enumerate(projections):
            shown: list[tuple[int, ...]] = [(0, 1)] if layout == "one" else [(1,), (0,)]
            for place, modalities in enumerate(shown):
                at = number * len(shown) + place
                x = left + at % across * (panel[0] + _GAP)
                y = height - (at // across + 1) * row + _GAP - _EDGE
                box = (x / width, y / height, panel[0] / width, panel[1] / height)
                axes = figure.add_axes(box)
                axes.set_title(heads[at], pad=3)
                _panel(axes, projection, modalities, colours, panel)
    return figure


def _heading(title: str, modality: str, room: float) -> str:
    """Both in lines of at most the panel's width."""
    if not title:
        return modality
    end = f": {modality}" if modality else ""
    return "\n".join(name_lines(title + end, room, _HEADING))


def _frame(projection: Projection) -> tuple[np.ndarray, np.ndarray]:
    """Middle and extent of all points of a run: its panels compare."""
    low, high = projection.xy.min(axis=0), projection.xy.max(axis=0)
    return (low + high) / 2, 1.08 * np.maximum(high - low, 1e-6)


def _panel_size(projections: Sequence[Projection], room: float) -> tuple[float, float]:
    """Width and height in inches: shaped as the points are, within `room`."""
    extents = [_frame(projection)[1] for projection in projections]
    shape = float(np.clip(max(extent[1] / extent[0] for extent in extents), 0.6, 1.2))
    height = min(room * shape, _TALLEST)
    return (room if height < _TALLEST else min(height / shape, room)), height


def _counts(projections: Sequence[Projection]) -> list[str]:
    """Of photos and sketches what is shown, where something was left out: "90 of 100"."""
    said = []
    for name in _MODALITY_NAMES:
        counts = {(p.facts[name], p.facts[f"{name}_in_all"]) for p in projections}
        some = [f"{shown:,} of {whole:,}" for shown, whole in sorted(counts) if shown < whole]
        said.append(f"{name}: {', '.join(some)}" if some else name)
    return said


def _panel(
    axes: Axes,
    projection: Projection,
    modalities: Sequence[int],
    colours: dict[str, tuple[float, float, float]],
    panel: tuple[float, float],
) -> None:
    """Points of some modalities in the frame of all, so that panels of one run compare."""
    middle, extent = _frame(projection)
    scale = min(panel[0] / extent[0], panel[1] / extent[1])  # inches a unit, both ways alike
    half = np.array(panel) / scale / 2
    axes.set(xlim=(middle[0] - half[0], middle[0] + half[0]))
    axes.set(ylim=(middle[1] - half[1], middle[1] + half[1]))
    axes.set(xticks=[], yticks=[])  # t-SNE's axes have no unit
    table = np.array([colours[name] for name in projection.classes])
    area = panel[0] * panel[1] / 20  # of the usual panel
    size = float(np.clip(9000 * area / len(projection.xy), 5, 26))
    # Shuffled, or the last class would lie on top of all others.
    order = np.random.default_rng(0).permutation(len(projection.xy))
    for modality in modalities:
        which = order[projection.modality[order] == modality]
        axes.scatter(
            projection.xy[which, 0],
            projection.xy[which, 1],
            s=size,
            c=table[projection.label[which]],
            marker=_MARKERS[modality],
            edgecolors="white",
            linewidths=0.3,
            zorder=2 + modality,
        )
    if len(colours) > _NUMBERED:
        places = (projection.xy - (middle - half)) * scale
        _number(axes, projection, places, modalities, list(colours), panel)


def _number(
    axes: Axes,
    projection: Projection,
    places: np.ndarray,
    modalities: Sequence[int],
    names: list[str],
    panel: tuple[float, float],
) -> None:
    """The legend's number of each class beside its points; a line leads to it from afar."""
    points = 7.0 if len(names) <= _CROWD else 5.5
    wanted = anchors(projection, places, modalities)
    texts = [str(names.index(projection.classes[code]) + 1) for code, _ in wanted]
    at = np.array([place for _, place in wanted])
    sizes = np.array([(inches(text, points) + 0.02, 0.8 * points / 72) for text in texts])
    shown = places[np.isin(projection.modality, modalities)]
    frame = np.array(panel)
    for text, anchor, centre, size in zip(
        texts, at / frame, arrange(at, sizes, shown, frame) / frame, sizes / frame, strict=True
    ):
        if (np.abs(centre - anchor) > size / 2 + 0.03).any():
            axes.plot(
                *zip(anchor, centre, strict=True),
                color=style.INK, linewidth=0.4, zorder=8, transform=axes.transAxes,
            )  # fmt: skip
        written = axes.text(
            centre[0], centre[1], text, fontsize=points, transform=axes.transAxes, zorder=9,
            ha="center", va="center_baseline",
        )  # fmt: skip
        written.set_path_effects([patheffects.withStroke(linewidth=1.5, foreground="white")])


def _legend(
    figure: Figure, colours: dict[str, tuple[float, float, float]], counts: Sequence[str]
) -> float:
    """The legend below, in as many columns as fit; gives its height in inches."""
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=style.GREY, label=name, markersize=5)
        for marker, name in zip(_MARKERS, counts, strict=True)
    ]
    numbered = len(colours) > _NUMBERED
    for number, (name, colour) in enumerate(colours.items(), 1):
        shown = ellipsize_inches(display_path(name), _NAME, _LEGEND)
        label = f"{number} {shown}" if numbered else shown
        handles.append(
            Line2D([], [], linestyle="", marker="s", color=colour, label=label, markersize=5)
        )
    width = figure.get_figwidth()
    renderer = FigureCanvasAgg(figure).get_renderer()
    for columns in range(min(len(handles), int(width / 0.5)), 0, -1):
        legend = figure.legend(
            handles=handles, loc="lower center", ncols=columns, frameon=False,
            handletextpad=0.2, columnspacing=0.9, labelspacing=0.35, borderpad=0.2,
            borderaxespad=0, bbox_to_anchor=(0.5, 0),
        )  # fmt: skip
        box = legend.get_window_extent(renderer)
        if box.width <= figure.bbox.width or columns == 1:
            break
        legend.remove()
    return float(box.height / figure.dpi)
