"""Photos: a thing in colour, shaded, in perspective, before a cluttered background."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from sbirctl.datasets._drawing.outline import Piece, Points

_ZOOM = 3
# Hue, saturation and value ranges; hues pass 1 where they wrap. "paint" is any hue.
MATERIALS: dict[str, tuple[float, float, float, float, float, float]] = {
    "paint": (0.0, 1.0, 0.4, 0.95, 0.45, 0.95),
    "paint2": (0.0, 1.0, 0.4, 0.95, 0.5, 1.0),
    "leaf": (0.2, 0.42, 0.4, 0.85, 0.35, 0.75),
    "wood": (0.04, 0.1, 0.4, 0.75, 0.25, 0.6),
    "wood2": (0.05, 0.11, 0.45, 0.8, 0.5, 0.85),
    "wafer": (0.08, 0.11, 0.45, 0.65, 0.75, 0.92),
    "clay": (0.02, 0.06, 0.55, 0.75, 0.55, 0.8),
    "brick": (0.0, 0.04, 0.5, 0.7, 0.4, 0.65),
    "roof": (0.97, 1.08, 0.4, 0.8, 0.35, 0.65),
    "wall": (0.05, 0.18, 0.1, 0.45, 0.75, 0.98),
    "cream": (0.08, 0.14, 0.1, 0.35, 0.78, 0.97),
    "light": (0.0, 1.0, 0.0, 0.1, 0.85, 1.0),
    "dark": (0.0, 1.0, 0.0, 0.3, 0.05, 0.2),
    "tyre": (0.0, 1.0, 0.0, 0.15, 0.1, 0.28),
    "metal": (0.5, 0.65, 0.03, 0.15, 0.5, 0.82),
    "gold": (0.1, 0.14, 0.45, 0.8, 0.6, 0.9),
    "glass": (0.5, 0.6, 0.15, 0.4, 0.65, 0.95),
    "yellow": (0.12, 0.16, 0.7, 0.95, 0.8, 1.0),
    "orange": (0.05, 0.1, 0.8, 1.0, 0.85, 1.0),
    "red": (0.96, 1.02, 0.75, 0.95, 0.6, 0.9),
    "pink": (0.92, 1.0, 0.3, 0.5, 0.8, 0.95),
    "fur": (0.04, 0.11, 0.1, 0.75, 0.3, 0.9),
    "bird": (0.08, 0.16, 0.1, 0.85, 0.55, 0.98),
    "bird2": (0.06, 0.15, 0.2, 0.8, 0.45, 0.8),
    "sail": (0.0, 1.0, 0.0, 0.25, 0.85, 1.0),
    "sail2": (0.0, 1.0, 0.05, 0.7, 0.75, 1.0),
}


def photo(pieces: Sequence[Piece], size: int, rng: np.random.Generator) -> Image.Image:
    """A photo of a thing.

    Args:
        pieces: the thing, back to front.
        size: side in pixels.
        rng: where pose, colours, light and background come from.

    Returns:
        `size` x `size` RGB image.
    """
    colours, alpha, height = _paint(pieces, size, rng)
    picture = _background(size, rng)
    picture *= 1 - _shadow(alpha, rng)[..., None]
    lit = colours * _light(height, rng)[..., None] * _texture(size, rng)
    picture += alpha[..., None] * (lit - picture)
    picture = (picture - 128) * rng.uniform(0.75, 1.1) + 128 + rng.uniform(-22, 22)
    picture = picture * rng.uniform(0.92, 1.08, 3) + _grain(picture.shape, rng)
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.6)))


def _paint(
    pieces: Sequence[Piece], size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, Image.Image]:
    """Colours (H, W, 3) 0..255, coverage (H, W) 0..1 and height (mode L) of the thing."""
    side = size * _ZOOM
    place = _pose(rng)
    image = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(image)
    for number, piece in enumerate(pieces, 1):
        points = [tuple(p) for p in (_project(piece.points, place) + 1) * side / 2]
        if piece.width:
            width = max(round(piece.width * place[3, 0] * side / 2), 1)
            draw.line(points, fill=number, width=width, joint="curve")
        else:
            draw.polygon(points, fill=number)
    look = {m: _colour(m, rng) for m in dict.fromkeys(p.material for p in pieces)}
    table = [np.zeros(3)] + [look[p.material] * rng.uniform(0.93, 1.07) for p in pieces]
    rise = [0, *rng.integers(150, 256, len(pieces))]
    cover = _values(image.point([0] + [255] * 255).reduce(_ZOOM)) / 255
    height = image.point([*map(int, rise)] + [0] * (256 - len(rise))).reduce(_ZOOM)
    image.putpalette(np.clip(table, 0, 255).astype(np.uint8).tobytes())
    colours = _values(image.convert("RGB").reduce(_ZOOM)) / np.maximum(cover, 1e-3)[..., None]
    return colours, cover, height


def _pose(rng: np.random.Generator) -> Points:
    """(4, 2): linear map, shift, then (scale, 0); with `_project` the tilt towards the viewer."""
    u = rng.uniform
    angle, scale = np.radians(u(-18, 18)), u(0.55, 0.88)
    mirror = -1.0 if u() < 0.5 else 1.0
    aspect = np.exp(u(-0.12, 0.12))
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.diag([mirror * aspect, 1 / aspect]) @ np.array([[cos, sin], [-sin, cos]]) * scale
    shift = u(-1, 1, 2) * max(0.92 - scale, 0.03)
    return np.vstack([linear, shift, [scale, u(-0.16, 0.16)]])


def _project(points: Points, place: Points) -> Points:
    """The thing's points in the picture, -1..1; lines that run away from the viewer converge."""
    moved: Points = points @ place[:2]
    depth = 1 + place[3, 1] * (moved[:, :1] + moved[:, 1:])
    seen: Points = moved / depth + place[2]
    return seen


def _colour(material: str, rng: np.random.Generator) -> np.ndarray:
    low_h, high_h, low_s, high_s, low_v, high_v = MATERIALS[material]
    hue = rng.uniform(low_h, high_h) % 1
    rgb = colorsys.hsv_to_rgb(hue, rng.uniform(low_s, high_s), rng.uniform(low_v, high_v))
    colour: np.ndarray = np.array(rgb, np.float32) * 255
    return colour


def _light(height: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """(H, W) brightness: slopes towards the lamp are lit, and light falls off across the thing."""
    size = height.width
    soft = height.filter(ImageFilter.GaussianBlur(size / rng.uniform(24, 48)))
    down, right = np.gradient(_values(soft) / 255)
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 2.2) * size / 96
    relief = strength * (down * np.sin(angle) + right * np.cos(angle))
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    ramp = rng.uniform(0, 0.25) * (x * np.cos(angle) + y * np.sin(angle))
    lit: np.ndarray = np.clip(1 + relief + ramp, 0.25, 1.6).astype(np.float32)
    return lit


def _shadow(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W) 0..0.6: the thing's shadow, moved and blurred."""
    size = len(alpha)
    soft = Image.fromarray((alpha * 255).astype(np.uint8))
    soft = soft.filter(ImageFilter.GaussianBlur(size * rng.uniform(0.01, 0.05)))
    step = rng.integers(-size // 14, size // 14 + 1, 2)
    moved = np.roll(_values(soft) / 255, tuple(step), (0, 1))
    return moved * rng.uniform(0, 0.6)


def _texture(size: int, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 1) factor near 1: grain at two scales."""
    coarse = _noise(size, int(rng.integers(4, 10)), rng) * rng.uniform(0.02, 0.15)
    fine = _noise(size, int(rng.integers(20, size // 2)), rng) * rng.uniform(0.0, 0.12)
    return (1 + coarse + fine)[..., None]


def _noise(size: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    """(size, size) smooth noise of about unit deviation."""
    grid = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
    return np.asarray(grid.resize((size, size), Image.Resampling.BICUBIC))


def _background(size: int, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) float32 0..255: a scene of two colours, clutter in it, partly out of focus."""
    u = rng.uniform
    first, second = (_colour("paint", rng) for _ in range(2))
    first, second = (c + u(0.2, 0.8) * (u(60, 235) - c) for c in (first, second))  # paler
    kind = rng.integers(4)
    y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j].astype(np.float32)
    if kind == 0:  # wall lit from one side
        share = x * u(-1, 1) + y * u(-1, 1) + 0.5
    elif kind == 1:  # ground and sky
        share = np.clip((y - u(0.4, 0.8)) * u(8, 40) + 0.5, 0, 1)
    elif kind == 2:  # stripes or tiles
        wave = np.sin(u(8, 30) * (x * u(-1, 1) + y * u(-1, 1)))
        share = 0.5 + 0.35 * wave * (np.sin(u(8, 30) * (x - y)) if u() < 0.5 else 1)
    else:  # foliage
        share = 0.5 + 0.35 * _noise(size, int(rng.integers(5, 14)), rng)
    scene = first + np.clip(share, 0, 1)[..., None] * (second - first)
    scene = scene + _noise(size, int(rng.integers(8, 30)), rng)[..., None] * u(2, 14)
    image = Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))
    _clutter(image, rng)
    image = image.filter(ImageFilter.GaussianBlur(u(0.3, 2.5) * size / 96))
    return _values(image)


def _clutter(image: Image.Image, rng: np.random.Generator) -> None:
    """Things nobody asked for: blobs, boxes, shards and wires."""
    size = image.width
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 12))):
        colour = _colour("paint", rng) * rng.uniform(0.5, 1.0)
        fill = tuple(int(v) for v in colour + rng.uniform(0, 0.6) * (128 - colour))
        middle, reach = rng.uniform(0, size, 2), rng.uniform(0.05, 0.22) * size
        kind = rng.integers(4)
        corners = middle + rng.uniform(-reach, reach, (4, 2))
        low, high = corners.min(axis=0), corners.max(axis=0)
        if kind == 0:
            draw.ellipse([*low, *high], fill=fill)
        elif kind == 1:
            draw.rectangle([*low, *high], fill=fill)
        elif kind == 2:
            draw.polygon([tuple(p) for p in corners], fill=fill)
        else:
            ends = [tuple(p) for p in rng.uniform(0, size, (2, 2))]
            draw.line(ends, fill=fill, width=int(rng.integers(1, 4)))


def _grain(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A sensor's noise."""
    return rng.standard_normal(shape, np.float32) * rng.uniform(1, 7)


def _values(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float32)
