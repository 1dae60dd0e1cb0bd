"""Furniture and what stands on it as outlines; each function draws one variation of its class."""

from __future__ import annotations

import numpy as np

from sbirctl.datasets._drawing.outline import Piece, box, curve, dots, moved, oval, turned


def chair(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    w, seat, deep, slant = u(0.42, 0.52), u(0.02, 0.15), u(0.22, 0.32), u(0.14, 0.22)
    top, leg = u(-1.0, -0.88), u(0.07, 0.1)
    xs = {"far": (-w + slant, w + slant), "near": (-w - 0.05, w - 0.1)}
    legs = [((x, seat), (x + 0.02, 0.82)) for x in xs["far"]]
    legs += [((x, seat + deep), (x - 0.02, 1.0)) for x in xs["near"]]
    a, b = xs["far"]
    slats = int(rng.integers(2, 5))
    bars = [
        dots((a, y), (b, y)) for y in np.linspace(top + 0.12, seat - 0.3, slats)
    ]  # fmt: skip
    plane = dots((a, seat), (b, seat), (xs["near"][1], seat + deep), (xs["near"][0], seat + deep))
    return [
        *[Piece(dots(*ends), "wood", leg) for ends in legs],
        *[Piece(bar, "wood", u(0.07, 0.11)) for bar in bars],
        *[Piece(dots((x, top), (x, seat + 0.05)), "wood", leg) for x in (a, b)],
        Piece(plane, "wood2"),
    ]


def clock(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    r = u(0.64, 0.74)
    pieces = []
    for s in (-1, 1):
        bell = oval(s * 0.42, -0.6, 0.26, 0.2, start=180, stop=360, tilt=s * 38)
        pieces += [
            Piece(dots((s * 0.35, 0.55), (s * 0.58, 0.98)), "metal", 0.11),
            Piece(bell, "metal"),
        ]
    pieces += [Piece(oval(0, 0.1, r), "paint"), Piece(oval(0, 0.1, 0.8 * r), "light")]
    for k in range(12):
        if k % 3 == 0:
            angle = np.pi * k / 6
            way = np.array([np.sin(angle), -np.cos(angle)])
            ends = moved(np.stack([0.62 * r * way, 0.74 * r * way]), 0, 0.1)
            pieces.append(Piece(ends, "dark", 0.05, True))
    for length in (0.35, 0.55):
        angle = u(0, 2 * np.pi)
        tip = (length * r * np.sin(angle), 0.1 - length * r * np.cos(angle))
        pieces.append(Piece(dots((0, 0.1), tip), "dark", 0.06))
    return pieces


def cup(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    w, foot, top, low = u(0.5, 0.62), u(0.36, 0.5), u(-0.6, -0.4), u(0.6, 0.75)
    rim = u(0.1, 0.16)
    side = oval(-0.12, low - rim, foot, rim, start=0, stop=180)
    body = np.concatenate([dots((-0.12 - w, top), (-0.12 + w, top)), side])
    handle = curve(
        (w - 0.16, top + 0.22), (w + 0.22, top + 0.2), (w + 0.3, top + 0.5), (w + 0.1, top + 0.8),
        (foot - 0.1, top + 0.85),
    )  # fmt: skip
    steam = [
        curve((x, top - 0.2), (x - 0.06, top - 0.32), (x + 0.06, top - 0.42), (x, top - 0.55))
        for x in (-0.3, 0.0)
    ]
    return [
        Piece(handle, "paint", u(0.12, 0.17)),
        Piece(body, "paint"),
        Piece(oval(-0.12, top, w, rim), "light"),
        Piece(oval(-0.12, top + 0.02, 0.85 * w, 0.7 * rim), "wood", detail=True),
        *[Piece(line, "light", 0.05, True) for line in steam],
    ]


def guitar(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    low, waist, up = u(0.44, 0.52), u(0.24, 0.32), u(0.32, 0.4)
    side = [(0.12, -0.22), (up, -0.05), (waist, 0.24), (low, 0.62), (0.25, 0.95)]
    body = curve(*side, *[(-x, y) for x, y in reversed(side)], closed=True)
    neck = u(0.06, 0.085)
    pieces = [
        Piece(body, "wood2"),
        Piece(box(-neck, -0.85, neck, 0.15), "wood"),
        Piece(dots((-0.1, -1.08), (0.1, -1.08), (0.13, -0.85), (-0.13, -0.85)), "wood"),
        Piece(oval(0, 0.22, u(0.11, 0.15)), "dark"),
        Piece(dots((-0.16, 0.66), (0.16, 0.66)), "dark", 0.07),
        *[Piece(dots((x, -0.85), (x, 0.66)), "light", 0.015, True) for x in (-0.03, 0.03)],
    ]
    return turned(pieces, u(5, 40))


def lamp(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    top, wide, high = u(0.22, 0.36), u(0.58, 0.75), u(0.6, 0.75)
    shade = dots((-top, -0.95), (top, -0.95), (wide, -0.95 + high), (-wide, -0.95 + high))
    foot = oval(0, 0.92, u(0.36, 0.5), u(0.16, 0.24), start=180, stop=360)
    return [
        Piece(dots((0, -0.4), (0, 0.9)), "metal", u(0.07, 0.12)),
        Piece(oval(0, u(0.25, 0.45), u(0.13, 0.2), u(0.15, 0.22)), "metal", detail=True),
        Piece(foot, "metal"),
        Piece(shade, "paint"),
        Piece(dots((wide - 0.15, -0.95 + high), (wide - 0.15, -0.05)), "dark", 0.025, True),
    ]


def teapot(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    w, h = u(0.52, 0.6), u(0.42, 0.52)
    spout = curve(
        (-0.4, 0.35), (-0.7, 0.15), (-0.82, -0.25), (-0.98, -0.35), (-0.84, -0.42), (-0.66, -0.3),
        (-0.56, -0.1), (-0.4, -0.05), closed=True,
    )  # fmt: skip
    handle = curve((0.4, -0.2), (0.75, -0.35), (0.92, 0.0), (0.75, 0.35), (0.45, 0.4))
    lid = oval(0, 0.12 - 0.9 * h, 0.6 * w, u(0.14, 0.22), start=180, stop=360)
    return [
        Piece(spout, "paint"),
        Piece(handle, "paint", u(0.09, 0.14)),
        Piece(oval(0, 0.12 - h - 0.15, u(0.07, 0.1)), "paint2"),
        Piece(oval(0, 0.12, w, h), "paint"),
        Piece(lid, "paint2"),
        Piece(dots((-0.32, 0.1 + h), (0.32, 0.1 + h)), "paint2", 0.09),
    ]


ROOM = (chair, clock, cup, guitar, lamp, teapot)
