"""Things for the hand as outlines; each function draws one variation of its class."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from sbirctl.datasets._drawing.outline import Piece, box, curve, dots, oval, turned


def glasses(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    rx, ry, gap = u(0.33, 0.4), u(0.26, 0.38), u(0.1, 0.16)
    x, frame = gap + rx, u(0.06, 0.1)
    pieces = []
    for s in (-1, 1):
        temple = curve((s * (x + rx), -0.08), (s * 0.98, -0.3), (s * 0.9, -u(0.5, 0.7)))
        pieces += [Piece(temple, "paint", frame)]
    pieces += [Piece(oval(s * x, 0.1, rx, ry), "glass") for s in (-1, 1)]
    pieces += [Piece(oval(s * x, 0.1, rx, ry), "paint", frame) for s in (-1, 1)]
    bridge = curve((-gap, 0.08), (0, u(-0.1, 0.0)), (gap, 0.08))
    shine = [dots((s * x - 0.12, 0.12), (s * x + 0.02, -0.05)) for s in (-1, 1)]
    return [
        *pieces,
        Piece(bridge, "paint", frame),
        *[Piece(line, "light", 0.035, True) for line in shine],
    ]


def hammer(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    h, y, w = u(0.15, 0.2), u(-0.7, -0.6), u(0.07, 0.1)
    head = curve(
        (-0.5, y - h), (0.1, y - 0.9 * h), (0.4, y - 0.8 * h), (0.72, y + u(0.05, 0.2)),
        (0.4, y + 0.5 * h), (0.1, y + 0.9 * h), (-0.5, y + h),
    )  # fmt: skip
    pieces = [
        Piece(dots((-w, y), (w, y), (1.25 * w, 1.0), (-1.25 * w, 1.0)), "wood"),
        Piece(head, "metal"),
        Piece(box(-0.62, y - 1.25 * h, -0.4, y + 1.25 * h), "metal"),
        Piece(box(-1.4 * w, 0.5, 1.4 * w, 0.98), "paint", detail=True),
    ]
    return turned(pieces, u(-25, 45))


def key(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    r, w, end = u(0.27, 0.36), u(0.1, 0.14), u(0.85, 0.95)
    x = -0.95 + r
    start = x + r
    teeth = [
        Piece(box(end - 0.12 - k * 0.24, 0, end - k * 0.24, u(0.24, 0.4)), "gold")
        for k in range(int(rng.integers(2, 4)))
    ]
    pieces = [
        *teeth,
        Piece(box(start - 0.05, -w / 2 - 0.01, end, w / 2 + 0.01), "gold"),
        Piece(oval(x, 0, 0.85 * r, 0.85 * r), "gold", 0.32 * r),
    ]
    return turned(pieces, u(-55, -15))


def scissors(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    spread, r, long = u(14, 26), u(0.2, 0.26), u(0.95, 1.1)
    blade = dots((-0.09, 0.12), (-0.07, -0.4), (0.02, -long), (0.09, -0.4), (0.09, 0.12))
    pieces = []
    for s in (-1, 1):
        half = [
            Piece(blade * (s, 1), "metal"),
            Piece(dots((0, 0.1), (s * 0.02, 0.5)), "metal", 0.13),
            Piece(oval(s * 0.12, 0.5 + r, r, 1.2 * r), "paint", u(0.09, 0.12)),
        ]
        pieces += turned(half, s * spread)
    pieces.append(Piece(oval(0, 0.0, 0.055), "dark"))
    return turned(pieces, u(-30, 30))


def umbrella(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    w, top, scallops = u(0.85, 0.98), u(-0.85, -0.7), int(rng.integers(3, 6))
    edge = 0.05
    dome = oval(0, edge, w, edge - top, start=180, stop=360)
    ends = np.linspace(w, -w, scallops + 1)
    rise = u(0.09, 0.15)
    hem = [
        oval((a + b) / 2, edge, (a - b) / 2, rise, start=0, stop=-180) for a, b in pairwise(ends)
    ]
    ribs = [curve((0, top), (0.75 * x, 0.45 * top), (x, edge)) for x in ends[1:-1]]
    hook = curve((0, edge - 0.1), (0, 0.7), (0.03, 0.9), (0.16, 0.97), (0.28, 0.88), (0.29, 0.75))
    return [
        Piece(hook, "wood", u(0.06, 0.09)),
        Piece(dots((0, top - 0.12), (0, top + 0.1)), "wood", 0.06),
        Piece(np.concatenate([dome, *hem]), "paint"),
        *[Piece(rib, "dark", 0.03, k % 2 == 1) for k, rib in enumerate(ribs)],
    ]


TOOLS = (glasses, hammer, key, scissors, umbrella)
