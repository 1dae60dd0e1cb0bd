"""Rendering drawings that are given as strokes: antialiased lines of a set width on white."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from sbirctl.core.errors import CorruptError, UsageError

Strokes = list[np.ndarray]  # each (n, 2) float: x to the right, y downwards

CANVAS = 256
LINE_WIDTH = 2.5  # pixels on a canvas of 256
_ZOOM = 4  # drawn larger and averaged: Pillow's lines have no soft edges
_MARGIN = 0.04  # of the canvas, around a drawing that is fitted into it
MAX_POINTS = 25_000  # that are drawn: half a second
FARTHEST = 1e30  # beyond this differences and products of coordinates would overflow


@dataclass(frozen=True)
class Pen:
    """How strokes are drawn.

    Attributes:
        line_width: pixels, on a canvas of `canvas` pixels.
        canvas: side of the picture in pixels.
    """

    line_width: float = LINE_WIDTH
    canvas: int = CANVAS


def check_line_width(width: float) -> None:
    """Refuse a line nobody would see, or that would fill the sheet.

    Raises:
        UsageError: it is such a width.
    """
    if not 0.25 <= width <= 64:
        raise UsageError(f"line-width={width:g} cannot be drawn.", "Take 0.25 to 64 pixels.")


def render(
    strokes: Strokes,
    pen: Pen,
    frame: tuple[float, float, float, float] | None = None,
    whole: Strokes | None = None,
) -> Image.Image:
    """Draw strokes in black on white; round caps and joins.

    Args:
        strokes: in any unit.
        pen: line and canvas.
        frame: (left, top, width, height) of the sheet the strokes lie on, so that a drawing keeps
            its place and size on it; None to fit the drawing into the canvas. Either way both axes
            have one scale, and what is left is shared by both sides.
        whole: without a frame, the finished drawing that is fitted: the strokes lie as in it.

    Returns:
        `canvas` x `canvas` grey image (mode L).

    Raises:
        CorruptError: there is nothing to draw, more than can be drawn in short time, or a
            coordinate is no number or out of reach.
    """
    points = np.concatenate(strokes) if strokes else np.empty((0, 2))
    numbers = np.append(points, frame or ())
    if not len(points):
        raise CorruptError("it holds no strokes that can be drawn")
    if not (np.abs(numbers) <= FARTHEST).all():  # true for what is no number, too
        raise out_of_reach()
    side = pen.canvas * _ZOOM
    edge = 0.0
    if frame is None:
        fitted = points if whole is None else np.concatenate(whole)
        low = fitted.min(axis=0)
        frame = (*low, *(fitted.max(axis=0) - low))
        edge = _MARGIN * side + pen.line_width * _ZOOM / 2
    left, top, width, height = frame
    scale = (side - 2 * edge) / max(width, height, 1e-9)
    if max(width, height) <= 1e-9:
        scale = 0.0  # a single point
    shift = (side - scale * np.array([width, height])) / 2
    image = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(image)
    # Far outside the sheet nothing is seen, and Pillow's integers would overflow.
    placed = np.clip((points - (left, top)) * scale + shift, -side, 2 * side)
    lengths = [len(stroke) for stroke in strokes]
    for stroke in _thinned(placed, lengths):
        _line(draw, stroke, pen.line_width * _ZOOM)
    return image.reduce(_ZOOM)


def begun(strokes: Strokes, share: float) -> Strokes:
    """A drawing that is not finished: the first part of its lines, in the order they were drawn.

    Args:
        strokes: each (n, 2).
        share: of the length of all lines, 0 to 1; the last line may be cut. What has no length, as
            a dot, is there once the pen has come to it.

    Returns:
        At least the first point; all strokes, as they are, for 1.
    """
    if share >= 1:
        return strokes
    steps = [np.hypot(*np.diff(stroke, axis=0).T) for stroke in strokes]
    left = share * sum(float(step.sum()) for step in steps)
    made: Strokes = []
    for stroke, step in zip(strokes, steps, strict=True):
        if not len(stroke):
            continue
        reached = np.append(0.0, np.cumsum(step))
        if reached[-1] <= left:
            made.append(stroke)
            left -= reached[-1]
            continue
        last = int(np.searchsorted(reached, left, side="right"))
        part = (left - reached[last - 1]) / step[last - 1]
        end = stroke[last - 1] + part * (stroke[last] - stroke[last - 1])
        made.append(np.vstack([stroke[:last], end]))
        break
    return made


def _thinned(points: np.ndarray, lengths: list[int]) -> Strokes:
    """Strokes of some lengths; of very many points those that repeat the pixel before are left out.

    Raises:
        CorruptError: what is left is still too much.
    """
    starts = np.cumsum([0, *lengths[:-1]])
    filled = np.array(lengths) > 0
    kept = np.ones(len(points), bool)
    if len(points) > MAX_POINTS:
        pixels = points.round()
        kept[1:] = (pixels[1:] != pixels[:-1]).any(axis=1)
        kept[starts[filled]] = True
        if kept.sum() > MAX_POINTS:
            raise too_many()
    return np.split(points[kept], np.append(0, np.cumsum(kept))[starts[1:]])


def too_many() -> CorruptError:
    """The error of a drawing that would take long to draw."""
    return CorruptError("it has more lines and curves than can be drawn", "Simplify its lines.")


def out_of_reach() -> CorruptError:
    """The error of a coordinate that no sheet holds."""
    return CorruptError("it has a coordinate that is infinite, no number or out of reach")


def as_png(image: Image.Image) -> bytes:
    """The bytes of a PNG file."""
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _line(draw: ImageDraw.ImageDraw, points: np.ndarray, width: float) -> None:
    radius = width / 2
    flat = [(float(x), float(y)) for x, y in points]
    if len(flat) > 1:
        draw.line(flat, fill=0, width=max(1, round(width)), joint="curve")
    for x, y in (flat[0], flat[-1]) if flat else ():
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)


def parse_drawing(line: bytes) -> Strokes:
    """The strokes of one line: simplified (`[xs, ys]`) or raw (`[xs, ys, times]`).

    Raises:
        CorruptError: they are no such lists.
    """
    try:
        entry: Any = json.loads(line)
        strokes = [np.array(stroke[:2], dtype=np.float64) for stroke in entry["drawing"] if stroke]
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise CorruptError(f"its strokes cannot be read: {error}") from error
    if any(stroke.ndim != 2 or len(stroke) != 2 for stroke in strokes):
        raise CorruptError("its strokes cannot be read: one is no list of points")
    return [stroke.T for stroke in strokes]
