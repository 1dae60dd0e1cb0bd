"""Outlines: pieces of a thing as points, and the lines and curves they are made of.

Coordinates: x to the right, y down, a thing fills about -1..1 both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Points = np.ndarray  # (n, 2) float64
Thing = Callable[[np.random.Generator], list["Piece"]]


@dataclass(frozen=True)
class Piece:
    """One part of a thing, painted over the parts before it.

    Attributes:
        points: (n, 2) float64, a polygon (`width` 0) or the middle line of a band.
        material: what it is made of, a key of `camera.MATERIALS`.
        width: thickness of a band in the thing's own units; 0 for a filled polygon.
        detail: whether a person drawing in haste may leave it out.
    """

    points: Points
    material: str
    width: float = 0.0
    detail: bool = False


def dots(*pairs: tuple[float, float]) -> Points:
    """Corner points as an array."""
    return np.array(pairs, dtype=np.float64)


def box(x0: float, y0: float, x1: float, y1: float) -> Points:
    """An upright rectangle."""
    return dots((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def oval(
    x: float,
    y: float,
    rx: float,
    ry: float | None = None,
    *,
    start: float = 0.0,
    stop: float = 360.0,
    tilt: float = 0.0,
) -> Points:
    """An ellipse or an arc of it; angles in degrees, clockwise from the right as y points down."""
    angle = np.radians(np.linspace(start, stop, 36))
    arc = np.stack([rx * np.cos(angle), (rx if ry is None else ry) * np.sin(angle)], axis=1)
    return moved(turn(arc, tilt), x, y)


def curve(*pairs: tuple[float, float], closed: bool = False) -> Points:
    """A smooth (Catmull-Rom) curve through the given points."""
    knots = dots(*pairs)
    if closed:
        knots = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        knots = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    t = np.linspace(0, 1, 8, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        bend = (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        pieces.append(0.5 * (2 * b + (c - a) * t + bend))
    return np.concatenate([*pieces, knots[-2:-1]])


def moved(points: Points, x: float, y: float) -> Points:
    """Shift."""
    shifted: Points = points + np.array([x, y])
    return shifted


def turn(points: Points, degrees: float) -> Points:
    """Rotate about the origin."""
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    turned: Points = points @ np.array([[cos, sin], [-sin, cos]])
    return turned


def turned(pieces: Sequence[Piece], degrees: float) -> list[Piece]:
    """Rotate a whole thing about the origin."""
    return [Piece(turn(p.points, degrees), p.material, p.width, p.detail) for p in pieces]


def fitted(pieces: Sequence[Piece]) -> list[Piece]:
    """The thing moved and scaled so that its longer side fills -1..1."""
    points = np.concatenate([p.points for p in pieces])
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, (high - low).max() / 2
    return [Piece((p.points - middle) / half, p.material, p.width / half, p.detail) for p in pieces]


def resample(points: Points, step: float) -> Points:
    """The same line with points at most about `step` apart (at least 2)."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    count = max(int(length[-1] / step) + 1, 2)
    at = np.linspace(0, length[-1], count)
    return np.stack([np.interp(at, length, points[:, k]) for k in (0, 1)], axis=1)
