"""Animals as outlines; each function draws one variation of its class."""

from __future__ import annotations

import numpy as np

from sbirctl.datasets._drawing.outline import Piece, curve, dots, moved, oval


def butterfly(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    high, wide, low, out = u(0.65, 0.85), u(0.8, 0.98), u(0.6, 0.8), u(0.5, 0.7)
    spot_x, spot_y, spot = 0.55 * wide, -0.5 * high, u(0.1, 0.18)
    pieces = []
    for s in (-1, 1):
        lower = curve(
            (s * 0.05, 0.05), (s * out, 0.08), (s * (out + 0.12), 0.4), (s * 0.45, low),
            (s * 0.15, 0.45), closed=True,
        )  # fmt: skip
        upper = curve(
            (s * 0.05, 0.0), (s * 0.3, -0.65 * high), (s * 0.75 * wide, -high),
            (s * wide, -0.6 * high), (s * 0.8 * wide, -0.05), (s * 0.35, 0.12), closed=True,
        )  # fmt: skip
        pieces += [
            Piece(lower, "paint2"),
            Piece(upper, "paint"),
            Piece(oval(s * spot_x, spot_y, spot), "paint2", detail=True),
            Piece(oval(s * 0.42, 0.35, 0.6 * spot), "paint", detail=True),
        ]
    feeler = [curve((s * 0.03, -0.4), (s * 0.12, -0.7), (s * u(0.2, 0.32), -0.9)) for s in (-1, 1)]
    pieces += [Piece(line, "dark", 0.035) for line in feeler]
    return [*pieces, Piece(oval(0, 0.05, u(0.06, 0.1), 0.5), "dark")]


def cat(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    w, h, ear, tip = u(0.72, 0.85), u(0.62, 0.74), u(0.25, 0.36), u(0.5, 0.62)
    pieces = []
    for s in (-1, 1):
        outer = dots((s * 0.88 * w, -0.05), (s * tip * 1.2, -h - ear), (s * 0.18, -0.5 * h))
        inner = 0.6 * (outer - outer.mean(axis=0)) + outer.mean(axis=0)
        pieces += [Piece(outer, "fur"), Piece(inner, "pink", detail=True)]
    pieces.append(Piece(oval(0, 0.15, w, h), "fur"))
    eye, y = u(0.1, 0.15), u(-0.08, 0.08)
    for s in (-1, 1):
        pieces += [
            Piece(oval(s * 0.32, y, eye, u(0.1, 0.16)), "leaf"),
            Piece(oval(s * 0.32, y, 0.04, 0.09), "dark"),
        ]
    pieces.append(Piece(dots((-0.09, 0.26), (0.09, 0.26), (0, 0.36)), "pink"))
    for s in (-1, 1):
        pieces.append(Piece(oval(s * 0.11, 0.36, 0.11, 0.12, start=0, stop=180), "dark", 0.03))
        for k, rise in enumerate((-0.1, 0.03, 0.16)):
            whisker = dots((s * 0.25, 0.33 + 0.05 * k), (s * u(0.85, 1.0), 0.33 + rise))
            pieces.append(Piece(whisker, "dark", 0.025, k == 1))
    return pieces


def duck(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    r, hx, hy = u(0.24, 0.3), u(-0.55, -0.45), u(-0.6, -0.5)
    body = curve(
        (hx - 0.12, hy), (hx - 0.15, 0.2), (-0.35, 0.62), (0.2, 0.68), (0.7, 0.4), (0.98, -0.15),
        (0.6, 0.0), (0.1, -0.02), (hx + 0.25, -0.15), (hx + 0.2, hy), closed=True,
    )  # fmt: skip
    beak = dots(
        (hx - 0.8 * r, hy - 0.08), (hx - r - u(0.2, 0.3), hy + 0.08), (hx - 0.7 * r, hy + 0.15)
    )
    wing = curve((-0.15, 0.15), (0.25, 0.05), (0.62, 0.1), (0.35, 0.42), (0.0, 0.42), closed=True)
    return [
        Piece(beak, "orange"),
        Piece(body, "bird"),
        Piece(oval(hx, hy, r), "bird"),
        Piece(wing, "bird2"),
        Piece(oval(hx - 0.08, hy - 0.07, 0.045), "dark"),
    ]


def fish(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    h, tail = u(0.34, 0.52), u(0.3, 0.45)
    body = curve(
        (-0.9, 0.02), (-0.55, -0.75 * h), (-0.05, -h), (0.5, -0.4 * h), (0.68, 0), (0.5, 0.4 * h),
        (-0.05, h), (-0.55, 0.75 * h), closed=True,
    )  # fmt: skip
    fin = curve((-0.25, -0.85 * h), (0.05, -h - u(0.2, 0.32)), (0.35, -0.6 * h))
    fork = dots((0.55, 0), (0.98, -tail), (u(0.75, 0.88), 0), (0.98, tail))
    belly = curve((-0.1, 0.85 * h), (0.1, h + u(0.1, 0.22)), (0.25, 0.7 * h))
    scales = [oval(x, 0, 0.12, 0.5 * h, start=-70, stop=70) for x in (-0.05, 0.15, 0.35)]
    return [
        Piece(fork, "paint2"),
        Piece(fin, "paint2"),
        Piece(belly, "paint2", detail=True),
        Piece(body, "paint"),
        Piece(oval(-0.5, 0, 0.12, 0.7 * h, start=-75, stop=75), "dark", 0.04),
        *[Piece(line, "dark", 0.025, True) for line in scales[: int(rng.integers(0, 4))]],
        Piece(oval(-0.66, -0.25 * h, 0.08), "light"),
        Piece(oval(-0.67, -0.25 * h, 0.035), "dark"),
    ]


def snail(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    r, x, turns = u(0.5, 0.6), u(0.1, 0.2), u(2.2, 2.8)
    foot = curve(
        (0.98, 0.72), (0.4, 0.5), (-0.4, 0.5), (-0.55, 0.1), (-0.68, -0.2), (-0.9, -0.15),
        (-0.92, 0.15), (-0.78, 0.6), (-0.5, 0.75), closed=True,
    )  # fmt: skip
    angle = np.linspace(0.6, 2 * np.pi * turns, 60)
    radius = (0.95 * r * angle / angle[-1])[:, None]
    spiral = moved(np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius, x, 0)
    horns = [
        curve((-0.78, -0.15), (-0.82 + s, -0.4), (-0.85 + 1.6 * s, -0.6)) for s in (-0.07, 0.1)
    ]
    return [
        *[Piece(horn, "cream", 0.05) for horn in horns],
        Piece(foot, "cream"),
        Piece(oval(x, 0.0, r, u(0.92, 1.0) * r), "paint"),
        Piece(spiral, "dark", 0.05),
        Piece(oval(-0.8, 0.0, 0.04), "dark", detail=True),
    ]


ANIMALS = (butterfly, cat, duck, fish, snail)
