"""The basic shapes of SVG as points: line, polyline, polygon, rectangle, circle and ellipse."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sbirctl.drawings.strokes import FARTHEST, Strokes, out_of_reach

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_LENGTH = re.compile(rf"\s*({_NUMBER.pattern})(%|[a-z]*)\s*", re.IGNORECASE)
# CSS pixels; letters are taken to be 16 pixels high.
_UNITS = {"": 1.0, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6,
          "pt": 4 / 3, "pc": 16.0, "em": 16.0, "rem": 16.0, "ex": 8.0}  # fmt: skip
_QUARTER = np.linspace(0, np.pi / 2, 17)
_CORNER = np.stack([np.sin(_QUARTER), -np.cos(_QUARTER)], axis=1)  # from the top to the right
_TURN = np.array([[0, 1], [-1, 0]])  # row vectors by a quarter, clockwise as seen
_ROUND = 4  # segments that a circle counts for


@dataclass(frozen=True)
class Viewport:
    """What percentages are of; as browsers take it where a file does not say."""

    width: float = 300.0
    height: float = 150.0


def numbers(text: str) -> list[float]:
    """All numbers in a text.

    Raises:
        CorruptError: one is infinite or out of reach.
    """
    found = [float(one) for one in _NUMBER.findall(text)]
    if not all(abs(one) <= FARTHEST for one in found):
        raise out_of_reach()
    return found


def length(text: str, viewport: Viewport | None, name: str) -> float:
    """A length in CSS pixels.

    Args:
        text: a number with or without a unit.
        viewport: what a percentage is of; None where there may be none.
        name: of the attribute, which says whether a percentage is of the width, the height or (a
            radius) of both.

    Raises:
        ValueError: it is no length.
        CorruptError: it is infinite or out of reach.
    """
    found = _LENGTH.fullmatch(text)
    if not found:
        raise ValueError(f"{text[:20]!r} is no length")
    (value,), unit = numbers(found[1]), found[2].lower()
    if unit == "%" and viewport is not None:
        if name == "r":
            return value / 100 * float(np.hypot(viewport.width, viewport.height) / np.sqrt(2))
        across = name in ("x", "x1", "x2", "cx", "rx", "width")
        return value / 100 * (viewport.width if across else viewport.height)
    if unit not in _UNITS:
        raise ValueError(f"{unit[:20]!r} is no unit of length")
    return value * _UNITS[unit]


def _lengths(element: ElementTree.Element, viewport: Viewport, *names: str) -> list[float]:
    return [length(element.get(name, "0"), viewport, name) for name in names]


def _line(element: ElementTree.Element, viewport: Viewport) -> tuple[Strokes, int]:
    return [np.array(_lengths(element, viewport, "x1", "y1", "x2", "y2")).reshape(2, 2)], 1


def _polyline(element: ElementTree.Element, _: Viewport) -> tuple[Strokes, int]:
    given = numbers(element.get("points", ""))
    points = np.array(given[: len(given) // 2 * 2]).reshape(-1, 2)  # a number too many is no point
    return ([points] if len(points) else []), len(points)


def _polygon(element: ElementTree.Element, viewport: Viewport) -> tuple[Strokes, int]:
    strokes, segments = _polyline(element, viewport)
    return [np.concatenate([points, points[:1]]) for points in strokes], segments


def _rect(element: ElementTree.Element, viewport: Viewport) -> tuple[Strokes, int]:
    x, y, width, height = _lengths(element, viewport, "x", "y", "width", "height")
    if width <= 0 or height <= 0:
        return [], 0
    given = [element.get(name, "auto").strip() for name in ("rx", "ry")]
    radii = [
        length(one, viewport, name) if one != "auto" else None
        for one, name in zip(given, ("rx", "ry"), strict=True)
    ]
    rx = next((one for one in radii if one is not None), 0.0)
    ry = next((one for one in reversed(radii) if one is not None), 0.0)
    rx, ry = min(max(rx, 0.0), width / 2), min(max(ry, 0.0), height / 2)
    low, high = np.array([x, y]), np.array([x + width, y + height])
    if not rx or not ry:
        corners = [low, (high[0], low[1]), high, (low[0], high[1]), low]
        return [np.array(corners)], _ROUND
    inner = [(high[0] - rx, low[1] + ry), (high[0] - rx, high[1] - ry),
             (low[0] + rx, high[1] - ry), (low[0] + rx, low[1] + ry)]  # fmt: skip
    parts = [
        centre + _CORNER @ np.linalg.matrix_power(_TURN, quarter) * (rx, ry)
        for quarter, centre in enumerate(inner)
    ]
    return [np.concatenate([*parts, parts[0][:1]])], 2 * _ROUND


def _ellipse(element: ElementTree.Element, viewport: Viewport) -> tuple[Strokes, int]:
    given = [element.get(name, element.get("r", "auto")).strip() for name in ("rx", "ry")]
    if "auto" in given:  # one radius may stand for both
        given = [one for one in given if one != "auto"] * 2 or ["0", "0"]
    cx, cy = _lengths(element, viewport, "cx", "cy")
    rx, ry = (
        length(one, viewport, "r" if "r" in element.attrib else name)
        for one, name in zip(given[:2], ("rx", "ry"), strict=True)
    )
    if rx <= 0 or ry <= 0:
        return [], 0
    parts = [_CORNER @ np.linalg.matrix_power(_TURN, quarter) for quarter in range(4)]
    unit = np.concatenate([parts[0], *(part[1:] for part in parts[1:])])
    return [unit * (rx, ry) + (cx, cy)], _ROUND


def _circle(element: ElementTree.Element, viewport: Viewport) -> tuple[Strokes, int]:
    return _ellipse(element, viewport) if "r" in element.attrib else ([], 0)


SHAPES: dict[str, Callable[[ElementTree.Element, Viewport], tuple[Strokes, int]]] = {
    "line": _line,
    "polyline": _polyline,
    "polygon": _polygon,
    "rect": _rect,
    "circle": _circle,
    "ellipse": _ellipse,
}
