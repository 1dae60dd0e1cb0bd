"""The strokes of an SVG drawing: its lines and curves as points, whatever their style.

Paths are read by fontTools. Groups and their transforms, lines and polylines are followed; text,
images, references and style sheets are not.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
from fontTools.misc.transform import Identity, Transform  # type: ignore[import-untyped]
from fontTools.pens.basePen import decomposeQuadraticSegment  # type: ignore[import-untyped]
from fontTools.pens.recordingPen import RecordingPen  # type: ignore[import-untyped]
from fontTools.svgLib.path import parse_path  # type: ignore[import-untyped]

from sbirctl.core.errors import CorruptError
from sbirctl.drawings.strokes import Strokes

_STEPS = np.linspace(0, 1, 17)[1:, None]  # points on a curve: strokes' curves are short
_HIDDEN = ("defs", "clipPath", "mask", "symbol", "pattern", "marker")
_MAX_DEPTH = 100
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_CALL = re.compile(r"(\w+)\s*\(([^)]*)\)")


def parse_svg(data: bytes) -> tuple[Strokes, tuple[float, float, float, float] | None]:
    """Strokes and sheet (left, top, width, height; None where the file does not say) of a drawing.

    Raises:
        CorruptError: it is no SVG, or one that declares entities (which can grow without bound).
    """
    if b"\0" in data:  # UTF-16, in which entities would pass unseen
        raise CorruptError("it is no SVG in UTF-8")
    if b"<!ENTITY" in data:
        raise CorruptError("it declares XML entities")
    try:
        root = ElementTree.fromstring(data)
        strokes: Strokes = []
        _walk(root, Identity, strokes, 0)
        return strokes, _sheet(root)
    except (ElementTree.ParseError, ValueError, TypeError, IndexError, ArithmeticError) as error:
        raise CorruptError(f"it is no SVG that can be read: {error}") from error


def _walk(element: ElementTree.Element, above: Transform, strokes: Strokes, depth: int) -> None:
    tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
    if tag in _HIDDEN:
        return
    if depth > _MAX_DEPTH:
        raise ValueError("groups too deep")
    here = above.transform(_transform(element.get("transform", "")))
    if tag == "path":
        strokes += [_moved(stroke, here) for stroke in _path(element.get("d", ""))]
    elif tag in ("polyline", "polygon"):
        points = np.array(_numbers(element.get("points", ""))).reshape(-1, 2)
        if tag == "polygon":
            points = np.concatenate([points, points[:1]])
        strokes += [_moved(points, here)] if len(points) else []
    elif tag == "line":
        ends = [float(element.get(name, "0")) for name in ("x1", "y1", "x2", "y2")]
        strokes.append(_moved(np.array(ends).reshape(2, 2), here))
    for child in element:
        _walk(child, here, strokes, depth + 1)


def _path(text: str) -> Strokes:
    if not text.strip():
        return []
    pen = RecordingPen()
    parse_path(text, pen)
    strokes: Strokes = []
    points: list[np.ndarray] = []
    for name, arguments in pen.value:
        given = [np.array(one, dtype=np.float64) for one in arguments]
        if name == "moveTo":
            points = [given[0][None]]
        elif name == "lineTo":
            points.append(given[0][None])
        elif name == "curveTo":
            points.append(_cubic(points[-1][-1], *given))
        elif name == "qCurveTo":
            for control, end in decomposeQuadraticSegment(arguments):
                points.append(_quadratic(points[-1][-1], np.array(control), np.array(end)))
        else:  # closePath (fontTools has drawn the line back already) or endPath
            strokes.append(np.concatenate(points))
    return strokes


def _cubic(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    t = _STEPS
    return (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d


def _quadratic(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    t = _STEPS
    return (1 - t) ** 2 * a + 2 * (1 - t) * t * b + t**2 * c


def _moved(points: np.ndarray, by: Transform) -> np.ndarray:
    return points @ np.array([[by.xx, by.xy], [by.yx, by.yy]]) + (by.dx, by.dy)


def _transform(text: str) -> Transform:
    """The transforms of an attribute, the leftmost applied last."""
    result = Identity
    for name, inner in _CALL.findall(text):
        numbers = _numbers(inner)
        if name == "matrix":
            result = result.transform(Transform(*numbers))
        elif name == "translate":
            result = result.translate(*numbers)
        elif name == "scale":
            result = result.scale(*numbers)
        elif name == "rotate":
            center = numbers[1:] or [0.0, 0.0]
            result = result.translate(*center).rotate(np.radians(numbers[0]))
            result = result.translate(-center[0], -center[1])
        elif name == "skewX":
            result = result.skew(np.radians(numbers[0]), 0)
        elif name == "skewY":
            result = result.skew(0, np.radians(numbers[0]))
    return result


def _sheet(root: ElementTree.Element) -> tuple[float, float, float, float] | None:
    box = _numbers(root.get("viewBox", ""))
    if len(box) != 4:
        sides = [_NUMBER.match(root.get(name, "")) for name in ("width", "height")]
        percent = any("%" in root.get(name, "") for name in ("width", "height"))
        if percent or not all(sides):
            return None
        box = [0.0, 0.0, *(float(side.group()) for side in sides if side)]
    left, top, width, height = box
    return (left, top, width, height) if min(width, height) > 0 else None


def _numbers(text: str) -> list[float]:
    return [float(one) for one in _NUMBER.findall(text)]
