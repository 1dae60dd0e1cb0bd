"""Sketches: a thing drawn by hand, in wobbly, incomplete black strokes on white paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from sbirctl.datasets._drawing.outline import Piece, Points, resample

_ZOOM = 3  # drawn larger and reduced: Pillow's lines have no soft edges


@dataclass(frozen=True)
class _Hand:
    """How one person drew one sketch (lengths in the thing's units, line in pixels)."""

    line: float
    wobble: float
    misplace: float
    skip: float
    gap: float
    hidden: bool
    again: float


def sketch(pieces: Sequence[Piece], size: int, rng: np.random.Generator) -> Image.Image:
    """A sketch of a thing.

    Args:
        pieces: the thing, back to front.
        size: side in pixels.
        rng: where pose, hand and mishaps come from.

    Returns:
        `size` x `size` grey image (mode L), 0 is ink, 255 is paper.
    """
    u = rng.uniform
    hand = _Hand(
        line=u(1.1, 3.0) * size / 96,
        wobble=u(0.008, 0.03),
        misplace=u(0.0, 0.035),
        skip=u(0.1, 0.6),
        gap=u(0.05, 0.35),
        hidden=u() < 0.15,
        again=u(0.0, 0.15),
    )
    zoomed = size * _ZOOM
    place = _pose(rng, zoomed)
    image = Image.new("L", (zoomed, zoomed), 255)
    draw = ImageDraw.Draw(image)
    for piece in pieces:
        if piece.detail and u() < hand.skip:
            continue
        _put(draw, piece, place, hand, rng)
    return image.reduce(_ZOOM)


def _pose(rng: np.random.Generator, side: int) -> Points:
    """(3, 2) affine map from the thing's units to pixels."""
    u = rng.uniform
    angle, scale, aspect = np.radians(u(-14, 14)), u(0.68, 0.9), np.exp(u(-0.14, 0.14))
    mirror = -1.0 if u() < 0.5 else 1.0
    shear = u(-0.1, 0.1)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.diag([mirror * aspect, 1 / aspect]) @ np.array([[1, 0], [shear, 1]])
    linear = linear @ np.array([[cos, sin], [-sin, cos]]) * scale * side / 2
    shift = side * (0.5 + u(-1, 1, 2) * 0.5 * max(0.9 - scale, 0.02))
    return np.vstack([linear, shift])


def _put(
    draw: ImageDraw.ImageDraw,
    piece: Piece,
    place: Points,
    hand: _Hand,
    rng: np.random.Generator,
) -> None:
    """Draw one piece: paper over what it hides, then its strokes; of a wide band both edges."""
    points = piece.points if piece.width else np.concatenate([piece.points, piece.points[:1]])
    drawn = _shaky(points, hand, rng)
    on_paper = drawn @ place[:2] + place[2]
    pen, width = hand.line * _ZOOM, piece.width * np.sqrt(abs(np.linalg.det(place[:2])))
    if width > 2.2 * pen:
        _line(draw, on_paper, width + pen)
        _line(draw, on_paper, width - pen, 255)
        return
    if not piece.width and not hand.hidden:
        draw.polygon([tuple(p) for p in on_paper], fill=255)
    for stroke in _strokes(on_paper, hand, rng):
        _line(draw, stroke, pen * rng.uniform(0.8, 1.2))
    if rng.uniform() < hand.again:
        twice = _shaky(points, hand, rng) @ place[:2] + place[2]
        _line(draw, twice, pen * 0.8)


def _shaky(points: Points, hand: _Hand, rng: np.random.Generator) -> Points:
    """The line as a hand draws it: misplaced a little, and trembling slowly along its length."""
    line = resample(points, 0.05)
    middle = line.mean(axis=0)
    stretch = 1 + rng.normal(0, hand.misplace, 2)
    line = (line - middle) * stretch + middle + rng.normal(0, hand.misplace, 2)
    knots = max(len(line) // 5, 2)
    at = np.linspace(0, knots - 1, len(line))
    tremble = rng.normal(0, hand.wobble, (knots, 2))
    shaken: Points = line + np.stack(
        [np.interp(at, np.arange(knots), tremble[:, k]) for k in (0, 1)], axis=1
    )
    return shaken


def _strokes(line: Points, hand: _Hand, rng: np.random.Generator) -> list[Points]:
    """Cut the line where the pen was lifted."""
    if len(line) < 8 or rng.uniform() > 2 * hand.gap:
        return [line]
    start = int(rng.integers(1, len(line) - 2))
    stop = start + max(int(len(line) * rng.uniform(0.03, hand.gap)), 1)
    return [part for part in (line[:start], line[stop:]) if len(part) > 1]


def _line(draw: ImageDraw.ImageDraw, line: Points, width: float, ink: int = 0) -> None:
    points = [tuple(p) for p in line]
    draw.line(points, fill=ink, width=max(round(width), 1), joint="curve")
