"""Path data of SVG (`d`) to points; svgelements reads the letters and numbers.

svgelements' own `Path` takes quadratic time for repeated `z`, so that only its lexer is used.
"""

from __future__ import annotations

import numpy as np
from svgelements import Arc, Point  # type: ignore[import-untyped]
from svgelements.svgelements import SVGLexicalParser  # type: ignore[import-untyped]

from sbirctl.drawings.strokes import FARTHEST, Strokes, out_of_reach, too_many

_STEPS = np.linspace(0, 1, 17)[1:, None]  # points on a curve: strokes' curves are short
_ARC_STEPS = np.linspace(0, 1, 65)[1:]
_ARC_COST = 4  # an arc is as much work as this many curves
_Coordinate = tuple[float, float] | str | None


def parse_path(text: str, most: int) -> tuple[Strokes, int, bool]:
    """Points of path data.

    Args:
        text: the attribute `d`.
        most: segments.

    Returns:
        The strokes, how many segments they have, and whether the data was right to its end; what
        comes before an error is kept.

    Raises:
        CorruptError: more segments than `most`, or a coordinate out of reach.
    """
    lexer, points = SVGLexicalParser(), _Points(most)
    try:
        lexer.parse(points, text)
        right = not text[lexer.pos :].strip()
    except (ValueError, TypeError, ArithmeticError):
        right = False
    points.end()
    return points.strokes, points.segments, right


class _Points:
    """What the lexer calls, a method a command; relative pairs come as absolute ones."""

    def __init__(self, most: int) -> None:
        self.strokes: Strokes = []
        self.segments = 0
        self.current_point: Point | None = None
        self._most = most
        self._first = np.zeros(2)
        self._last = np.zeros(2)
        self._control: tuple[str, np.ndarray] | None = None  # of the curve before
        self._open: list[np.ndarray] = []

    def start(self) -> None:
        """Nothing to prepare."""

    def end(self) -> None:
        """The last stroke is whole."""
        if self._open:
            self.strokes.append(np.concatenate(self._open))
        self._open = []

    def move(self, coord: _Coordinate, relative: bool) -> None:
        """M, m."""
        self.end()
        self._first = self._read(coord)
        self._add(self._first[None])

    def line(self, coord: _Coordinate, relative: bool) -> None:
        """L, l."""
        self._draw(self._read(coord)[None])

    def horizontal(self, value: float | None, relative: bool) -> None:
        """H, h."""
        start = self._last[0] if relative else 0.0
        self._draw(self._read(_pair(value, start, self._last[1]))[None])

    def vertical(self, value: float | None, relative: bool) -> None:
        """V, v."""
        start = self._last[1] if relative else 0.0
        x, y = _pair(value, start, self._last[0])
        self._draw(self._read((y, x))[None])

    def cubic(self, b: _Coordinate, c: _Coordinate, d: _Coordinate, relative: bool) -> None:
        """C, c."""
        self._cubic(self._read(b), self._read(c), self._read(d))

    def smooth_cubic(self, c: _Coordinate, d: _Coordinate, relative: bool) -> None:
        """S, s."""
        self._cubic(self._mirrored("cubic"), self._read(c), self._read(d))

    def quad(self, b: _Coordinate, c: _Coordinate, relative: bool) -> None:
        """Q, q."""
        self._quadratic(self._read(b), self._read(c))

    def smooth_quad(self, c: _Coordinate, relative: bool) -> None:
        """T, t."""
        self._quadratic(self._mirrored("quadratic"), self._read(c))

    def arc(
        self,
        rx: float,
        ry: float,
        rotation: float,
        large: bool,
        sweep: bool,
        coord: _Coordinate,
        relative: bool,
    ) -> None:
        """A, a."""
        end = self._read(coord)
        self._read((rx, ry))
        self._read((rotation, 0.0))
        if not rx or not ry or np.array_equal(end, self._last):
            self._draw(end[None])
            return
        self._count(_ARC_COST - 1)
        arc = Arc(complex(*self._last), abs(rx), abs(ry), rotation, large, sweep, complex(*end))
        quarters = max(1, int(np.ceil(abs(float(arc.sweep)) / (np.pi / 2) - 1e-9)))
        every = 4 // min(quarters, 4)
        middle = np.array(arc.npoint(_ARC_STEPS[every - 1 :: every]))
        self._draw(np.concatenate([middle[:-1], end[None]]))

    def closed(self, relative: bool) -> None:
        """Z, z."""
        self._count(1)
        if self._open and not np.array_equal(self._last, self._first):
            self._add(self._first[None])
        self.end()
        self._add_point(self._first)
        self._control = None

    def _cubic(self, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> None:
        a, t = self._last, _STEPS
        self._draw((1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d)
        self._control = ("cubic", c)

    def _quadratic(self, b: np.ndarray, c: np.ndarray) -> None:
        a, t = self._last, _STEPS
        self._draw((1 - t) ** 2 * a + 2 * (1 - t) * t * b + t**2 * c)
        self._control = ("quadratic", b)

    def _mirrored(self, kind: str) -> np.ndarray:
        """The control point that goes on smoothly from a curve of the same kind."""
        if self._control is None or self._control[0] != kind:
            return self._last
        mirrored: np.ndarray = 2 * self._last - self._control[1]
        return mirrored

    def _draw(self, points: np.ndarray) -> None:
        if self.current_point is None:
            raise ValueError("a path begins without a move")
        if not self._open:  # after a close
            self._add(self._first[None])
        self._add(points)

    def _add(self, points: np.ndarray) -> None:
        self._count(1)
        self._open.append(points)
        self._add_point(points[-1])
        self._control = None

    def _count(self, segments: int) -> None:
        self.segments += segments
        if self.segments > self._most:
            raise too_many()

    def _add_point(self, point: np.ndarray) -> None:
        self._last = point
        self.current_point = Point(float(point[0]), float(point[1]))

    def _read(self, coord: _Coordinate) -> np.ndarray:
        if isinstance(coord, str):  # `z` in the place of a point: back to the beginning
            return self._first
        if coord is None or None in coord:
            raise ValueError("a number is missing")
        if not all(abs(one) <= FARTHEST for one in coord):  # false for what is no number, too
            raise out_of_reach()
        return np.array(coord)


def _pair(value: float | None, start: float, other: float) -> tuple[float, float]:
    if value is None:
        raise ValueError("a number is missing")
    return start + value, float(other)
