"""Quick, Draw! strokes to pictures a network reads: changed by chance, drawn, put in their place.

The one rule for drawings, in training and in use: the box of the ink (grey below 200) is put in the
middle of a white square so that its longer side is `FILL` of the square's side, both axes with one
scale, and the square is reduced to `SIZE` pixels by area. The product's way is
`drawings.placement.normalize_placement(image, Placement(FILL, FILL, FILL, 0.0))`, then a resize.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

SIZE = 128
FILL = 0.9
_ZOOM = 2  # drawn larger and reduced
_SHIFT = 4  # bits after the point of cv2's coordinates

Strokes = list[np.ndarray]  # each (n, 2) float: x to the right, y downwards


def categories(folder: Path) -> list[str]:
    """The names of the .ndjson files of a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.ndjson"))


def read(folder: Path, category: str) -> list[Strokes]:
    """The drawings of one category, in the order of its file."""
    return list(_drawings(folder / f"{category}.ndjson"))


def _drawings(path: Path) -> Iterator[Strokes]:
    for line in path.read_text().splitlines():
        if line.strip():
            strokes = json.loads(line)["drawing"]
            yield [np.array(stroke[:2], dtype=np.float64).T for stroke in strokes]


def rasterise(
    strokes: Strokes,
    *,
    size: int = SIZE,
    width: float = 0.012,
    fill: float = FILL,
    shift: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Black lines on white, the ink in the middle.

    Args:
        strokes: in any unit.
        size: pixels of the square's side.
        width: of the lines, as a share of the side.
        fill: longer side of the ink's box (the lines' width included), as a share of the side.
        shift: of the box's middle to the right and downwards, as shares of the side.

    Returns:
        (size, size) uint8.
    """
    side = size * _ZOOM
    points = np.concatenate(strokes)
    low, high = points.min(0), points.max(0)
    pixels = max(1, round(width * side))
    scale = max(fill * side - pixels, 1) / max(float((high - low).max()), 1e-9)
    middle = side / 2 + np.array(shift) * side
    sheet = np.full((side, side), 255, np.uint8)
    lines = [((stroke - (low + high) / 2) * scale + middle) for stroke in strokes]
    fixed = [np.round(line * 2**_SHIFT).astype(np.int32).reshape(-1, 1, 2) for line in lines]
    cv2.polylines(sheet, fixed, False, 0, pixels, cv2.LINE_AA, _SHIFT)
    return cv2.resize(sheet, (size, size), interpolation=cv2.INTER_AREA)


def change(strokes: Strokes, rng: np.random.Generator) -> Strokes:
    """Another drawing of the same thing: strokes left out, bent, turned, stretched, mirrored."""
    kept = [stroke for stroke in strokes if rng.random() > 0.08]
    kept = kept if len(kept) >= max(1, len(strokes) // 2) else strokes
    points = np.concatenate(kept)
    low, high = points.min(0), points.max(0)
    unit = max(float((high - low).max()), 1e-9)
    waves = rng.normal(0, 0.018, (2, 2, 2))  # amplitude by (axis moved, axis along, frequency)
    phase = rng.uniform(0, 2 * np.pi, (2, 2, 2))
    matrix = _turn(rng)
    out = []
    for stroke in kept:
        line = (stroke - (low + high) / 2) / unit
        line = _rounded(line) if rng.random() < 0.5 else line
        bend = sum(
            waves[:, along, f] * np.sin(np.pi * (f + 1) * line[:, along, None] + phase[:, along, f])
            for along in (0, 1)
            for f in (0, 1)
        )
        moved = line + bend + rng.normal(0, 0.015, 2) + rng.normal(0, 0.003, line.shape)
        out.append(moved @ matrix.T)
    return out


def _turn(rng: np.random.Generator) -> np.ndarray:
    angle = np.deg2rad(rng.normal(0, 8))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.exp(rng.normal(0, 0.12))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    shear = np.array([[1.0, rng.normal(0, 0.08)], [0.0, 1.0]])
    return turn @ shear @ np.diag([mirror * stretch, 1 / stretch])


def _rounded(line: np.ndarray) -> np.ndarray:
    """Corners cut once (Chaikin): the strokes were simplified to polygons."""
    if len(line) < 3:
        return line
    first, second = line[:-1] * 0.75 + line[1:] * 0.25, line[:-1] * 0.25 + line[1:] * 0.75
    middle = np.stack([first, second], 1).reshape(-1, 2)
    return np.concatenate([line[:1], middle, line[-1:]])


def copy(strokes: Strokes, rng: np.random.Generator, size: int = SIZE) -> np.ndarray:
    """A changed drawing with a line and place by chance, (size, size) uint8."""
    return rasterise(
        change(strokes, rng),
        size=size,
        width=float(np.exp(rng.uniform(np.log(0.006), np.log(0.03)))),
        fill=float(rng.uniform(0.78, 0.96)),
        shift=tuple(rng.normal(0, 0.012, 2)),
    )
