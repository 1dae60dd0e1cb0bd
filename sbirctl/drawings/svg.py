"""The strokes of an SVG drawing: its shapes as lines and curves, whatever their style.

Followed are paths, the basic shapes, groups, `use`, nested sheets, transforms (CSS ones in `style`
too) and what is hidden. Text, pictures, gradients and the like are left out, and named.
Limits keep the cost of any file small: elements, depth, segments and the length of attributes.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from svgelements import Matrix  # type: ignore[import-untyped]

from sbirctl.core.errors import CorruptError
from sbirctl.drawings.strokes import FARTHEST, Strokes, out_of_reach, too_many
from sbirctl.drawings.svg_path import parse_path
from sbirctl.drawings.svg_shapes import SHAPES, Viewport, length, numbers

MAX_ELEMENTS = 10_000  # as written, and as drawn, after `use`
MAX_DEPTH = 32
MAX_SEGMENTS = 15_000  # lines and curves of all shapes as written, and strokes after `use`
MAX_POINTS = 250_000  # of all strokes, after `use`
MAX_ATTRIBUTE = 1024  # characters of any but those that hold points
_LONG = ("d", "points")
_CHUNK = 1 << 16

_GROUPS = ("svg", "g", "a", "switch")
_DRAWN = frozenset((*_GROUPS, *SHAPES, "path", "use"))
# Seen, but nothing of the drawing. Below `defs` and `symbol` only `use` looks.
_SILENT = (
    "defs", "symbol", "title", "desc", "metadata", "style", "view", "cursor", "stop", "script",
    "tspan", "textPath",
)  # fmt: skip
_TRANSFORMS = re.compile(
    r"\s*(?:(?:matrix|translate[XY]?|scale[XY]?|rotate|skew[XY]?)\s*\([^()]*\)[\s,]*)*",
    re.IGNORECASE,
)
_SVG = "{http://www.w3.org/2000/svg}"

Sheet = tuple[float, float, float, float]


@dataclass(frozen=True)
class SvgDrawing:
    """What an SVG file holds.

    Attributes:
        strokes: its lines, in the units of the sheet.
        sheet: left, top, width, height; None where the file does not say.
        left_out: what is not drawn, and how many of each.
    """

    strokes: Strokes
    sheet: Sheet | None
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def remark(self) -> str:
        """What is left out, for people; "" for nothing."""
        return ", ".join(f"{count} {name}" for name, count in sorted(self.left_out.items()))


def parse_svg(data: bytes) -> SvgDrawing:
    """Strokes and sheet of a drawing.

    Raises:
        CorruptError: it is no SVG, it declares entities or refers to other files, it is beyond the
            limits of this module, or nothing in it can be drawn.
    """
    if b"\0" in data:  # UTF-16, in which entities would pass unseen
        raise CorruptError("it is no SVG in UTF-8")
    if b"<!ENTITY" in data:
        raise CorruptError("it declares XML entities")
    try:
        root = _tree(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise CorruptError(f"it is no SVG that can be read: {error}") from error
    if _tag(root) != "svg":
        raise CorruptError("it is no SVG: its outermost element is another")
    walk = _Walk(root)
    walk.visit(root, np.eye(2, 3), 0)
    drawing = SvgDrawing(walk.strokes, walk.sheet, walk.left_out)
    if not drawing.strokes:
        only = f"; it has {drawing.remark}, which are left out" if drawing.remark else ""
        raise CorruptError(f"it holds no strokes that can be drawn{only}")
    return drawing


def _tree(data: bytes) -> ElementTree.Element:
    """The elements, counted while they are read."""
    parser: ElementTree.XMLPullParser[Any] = ElementTree.XMLPullParser(("start", "end"))
    count = depth = 0
    root: ElementTree.Element | None = None
    for start in range(0, len(data), _CHUNK):
        parser.feed(data[start : start + _CHUNK])
        events: Iterator[Any] = parser.read_events()
        for event, element in events:
            depth += 1 if event == "start" else -1
            count += event == "start"
            root = element if root is None else root
            if count > MAX_ELEMENTS or depth > MAX_DEPTH:
                raise _beyond(count)
    parser.close()
    if root is None:
        raise ValueError("it is empty")
    return root


def _beyond(count: int) -> CorruptError:
    if count > MAX_ELEMENTS:
        return CorruptError(f"it has more than {MAX_ELEMENTS:,} elements", "Simplify it.")
    return CorruptError(f"its elements are nested more than {MAX_DEPTH} deep", "Ungroup it.")


def _tag(element: ElementTree.Element) -> str:
    """The name of an element of SVG, "" for one of another language (editors' own notes)."""
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    return tag.removeprefix(_SVG) if tag.startswith(_SVG) or "{" not in tag else ""


class _Walk:
    """Goes through the elements as they are drawn.

    Attributes:
        strokes, sheet, left_out: as in `SvgDrawing`.
    """

    def __init__(self, root: ElementTree.Element) -> None:
        self.strokes: Strokes = []
        self.left_out: Counter[str] = Counter()
        self.sheet = _sheet(root)
        self._root = root
        self._ids: dict[str, ElementTree.Element] = {}
        self._shapes: dict[ElementTree.Element, Strokes] = {}
        self._transforms: dict[str, np.ndarray] = {}
        self._using: list[ElementTree.Element] = []
        self._viewport = Viewport(*self.sheet[2:]) if self.sheet else Viewport()
        self._elements = self._segments = self._points = 0
        for element in root.iter():
            self._survey(element)

    def visit(self, element: ElementTree.Element, above: np.ndarray, depth: int) -> None:
        """Draw an element and what is below it.

        Args:
            element: of any kind.
            above: (2, 3) float64, from its coordinates to the sheet's.
            depth: of elements and uses above it.
        """
        tag, style = _tag(element), _style(element)
        if tag not in _DRAWN or style.get("display") == "none":
            return
        self._elements += 1
        if self._elements > MAX_ELEMENTS or depth > MAX_DEPTH:
            raise _beyond(self._elements)
        here = above
        for text in (element.get("transform", ""), style.get("transform", "")):
            here = self._below(here, self._transform(text)) if text else here
        if tag == "use":
            self._use(element, here, depth)
        elif tag in _GROUPS:
            if tag == "svg" and element is not self._root:
                here = self._below(here, self._fit(element, element))
            self._children(element, here, depth)
        elif style.get("visibility") not in ("hidden", "collapse"):
            self._draw(element, tag, here)

    def _children(self, element: ElementTree.Element, here: np.ndarray, depth: int) -> None:
        for child in element:
            self.visit(child, here, depth + 1)

    def _use(self, element: ElementTree.Element, here: np.ndarray, depth: int) -> None:
        target = self._ids.get(_reference(element)[1:])
        if target is None:
            self.left_out["use of what is not there"] += 1
            return
        if target in self._using:
            raise CorruptError("a part of it uses itself")
        try:
            x, y = (length(element.get(name, "0"), self._viewport, name) for name in ("x", "y"))
        except ValueError:
            self.left_out["damaged use"] += 1
            return
        self._using.append(target)
        here = self._below(here, np.array([[1, 0, x], [0, 1, y]]))
        if _tag(target) == "symbol":
            if _style(target).get("display") != "none":
                here = self._below(here, self._fit(target, element, placed=True))
                self._children(target, here, depth + 1)
        else:
            self.visit(target, here, depth + 1)
        self._using.pop()

    def _draw(self, element: ElementTree.Element, tag: str, here: np.ndarray) -> None:
        own = self._shapes.get(element)
        if own is None:
            own = self._shapes[element] = self._read(element, tag)
        self._points += sum(map(len, own))
        if self._points > MAX_POINTS or len(self.strokes) + len(own) > MAX_SEGMENTS:
            raise too_many()
        self.strokes += [points @ here[:, :2].T + here[:, 2] for points in own]

    def _read(self, element: ElementTree.Element, tag: str) -> Strokes:
        """The points of a shape in its own coordinates."""
        most = MAX_SEGMENTS - self._segments
        if tag == "path":
            strokes, segments, right = parse_path(element.get("d", ""), most)
        else:
            try:
                strokes, segments = SHAPES[tag](element, self._viewport)
                right = True
            except ValueError:
                strokes, segments, right = [], 0, False
        if not right:
            self.left_out[f"damaged {tag}"] += 1
        if segments > most:
            raise too_many()
        self._segments += segments
        return [points for points in strokes if len(points)]

    def _transform(self, text: str) -> np.ndarray:
        known = self._transforms.get(text)
        if known is None:
            known = self._transforms[text] = self._read_transform(text)
        return known

    def _read_transform(self, text: str) -> np.ndarray:
        if text.strip() in ("", "none"):
            return np.eye(2, 3)
        try:
            if not _TRANSFORMS.fullmatch(text):
                raise ValueError(text)
            made = Matrix(text)
            made.render(ppi=96, width=self._viewport.width, height=self._viewport.height)
            return np.array([[made.a, made.c, made.e], [made.b, made.d, made.f]], dtype=np.float64)
        except (ValueError, TypeError, IndexError, ArithmeticError):
            self.left_out["damaged transform"] += 1
            return np.eye(2, 3)

    def _below(self, above: np.ndarray, own: np.ndarray) -> np.ndarray:
        if not (np.abs(own) <= FARTHEST).all():
            raise out_of_reach()
        made: np.ndarray = above[:, :2] @ own
        made[:, 2] += above[:, 2]
        if not (np.abs(made) <= FARTHEST).all():
            raise out_of_reach()
        return made

    def _fit(
        self, inner: ElementTree.Element, outer: ElementTree.Element, placed: bool = False
    ) -> np.ndarray:
        """From the coordinates of a nested sheet or symbol to those around it."""
        try:
            x, y = (
                0.0 if placed else length(outer.get(name, "0"), self._viewport, name)
                for name in ("x", "y")
            )
            width, height = (
                length(outer.get(name, inner.get(name, "100%")), self._viewport, name)
                for name in ("width", "height")
            )
        except ValueError:
            self.left_out["damaged size of a part"] += 1
            return np.eye(2, 3)
        box = numbers(inner.get("viewBox", ""))
        if len(box) != 4 or min(*box[2:], width, height) <= 0:
            return np.array([[1, 0, x], [0, 1, y]])
        scales = np.array([width / box[2], height / box[3]])
        kept = inner.get("preserveAspectRatio", "")
        if "none" not in kept:
            scales[:] = scales.max() if "slice" in kept else scales.min()
        rest = np.array([width, height]) - scales * box[2:]
        at = np.array([x, y]) + rest * _alignment(kept) - scales * box[:2]
        return np.array([[scales[0], 0, at[0]], [0, scales[1], at[1]]])

    def _survey(self, element: ElementTree.Element) -> None:
        """Note an element's name and what of it is left out; once, however often it is used."""
        tag = _tag(element)
        for name, value in element.attrib.items():
            if len(value) > MAX_ATTRIBUTE and name not in _LONG and tag in _DRAWN:
                raise CorruptError(f"its attribute {name[:40]!r} has {len(value):,} characters")
        if "id" in element.attrib:
            self._ids.setdefault(element.attrib["id"], element)
        if tag == "use" and _reference(element)[:1] not in ("#", ""):
            raise CorruptError("it uses a part of another file", "Put that part into it.")
        if tag == "style" and re.search("display|visibility|transform", element.text or ""):
            self.left_out["style sheet"] += 1
        if tag and tag not in (*_DRAWN, *_SILENT):
            self.left_out["effect" if tag.startswith("fe") else tag] += 1


def _alignment(kept: str) -> np.ndarray:
    """Of what is left beside a nested sheet, the share to its left and above it."""
    shares = {"Min": 0.0, "Mid": 0.5, "Max": 1.0}
    found = re.search(r"x(Min|Mid|Max)Y(Min|Mid|Max)", kept)
    return np.array([shares[one] for one in found.groups()] if found else [0.5, 0.5])


def _reference(element: ElementTree.Element) -> str:
    return element.get("href", element.get("{http://www.w3.org/1999/xlink}href", "")).strip()


def _style(element: ElementTree.Element) -> dict[str, str]:
    """`display`, `visibility` and CSS `transform`; `style` goes before attributes."""
    style: dict[str, str] = {
        k: element.attrib[k].strip() for k in ("display", "visibility") if k in element.attrib
    }
    for line in element.get("style", "").split(";"):
        key, _, value = line.partition(":")
        if key.strip() in ("display", "visibility", "transform"):
            style[key.strip()] = value.replace("!important", "").strip()
    return style


def _sheet(root: ElementTree.Element) -> Sheet | None:
    box = numbers(root.get("viewBox", ""))
    if len(box) != 4:
        try:
            sides = [length(root.get(name, "%"), None, name) for name in ("width", "height")]
            box = [0.0, 0.0, *sides]
        except ValueError:
            return None
    left, top, width, height = box
    return (left, top, width, height) if min(width, height) > 0 else None
