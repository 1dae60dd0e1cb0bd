"""Plants and what is eaten as outlines; each function draws one variation of its class."""

from __future__ import annotations

import numpy as np

from sbirctl.datasets._drawing.outline import Piece, curve, dots, moved, oval, turn


def apple(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    w, h, dip = u(0.72, 0.9), u(0.66, 0.82), u(0.1, 0.2)
    side = [(0.45 * w, -h), (w, -0.45 * h), (0.85 * w, 0.4 * h), (0.4 * w, h)]
    body = [(0, -h + dip), *side, (0, h - 0.6 * dip), *[(-x, y) for x, y in reversed(side)]]
    lean, top = u(-0.15, 0.2), -h - u(0.2, 0.35)
    leaf = oval(0.25, 0, 0.27, u(0.09, 0.14))
    return [
        Piece(curve(*body, closed=True), "paint"),
        Piece(curve((0, -h + dip), (0.3 * lean, top + 0.2), (lean, top)), "wood", 0.08),
        Piece(moved(turn(leaf, -u(10, 35)), 0.03, -h - 0.02), "leaf", detail=True),
        Piece(oval(-0.4 * w, -0.25 * h, 0.3, 0.4, start=170, stop=250), "light", 0.05, True),
    ]


def cactus(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    w, top = u(0.4, 0.5), u(-0.95, -0.8)
    left, right = u(-0.35, -0.05), u(-0.2, 0.1)
    arms = [
        curve((0, left + 0.35), (-0.5, left + 0.33), (-0.6, left + 0.15), (-0.6, left - 0.25)),
        curve((0, right + 0.3), (0.5, right + 0.28), (0.6, right + 0.1), (0.6, right - 0.25)),
    ]
    body = curve(
        (-w / 2, 0.6), (-w / 2, top + 0.25), (0, top), (w / 2, top + 0.25), (w / 2, 0.6)
    )  # fmt: skip
    ribs = [curve((x, top + 0.3), (x, 0.45)) for x in (-0.08, 0.08)]
    p = u(0.32, 0.42)
    return [
        *[Piece(arm, "leaf", u(0.22, 0.28)) for arm in arms],
        Piece(body, "leaf"),
        *[Piece(rib, "dark", 0.03, True) for rib in ribs],
        Piece(dots((-p, 0.5), (p, 0.5), (0.75 * p, 1.0), (-0.75 * p, 1.0)), "clay"),
    ]


def flower(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    count, reach, y = int(rng.integers(5, 9)), u(0.32, 0.4), -0.42
    wide = min(0.2, 2.3 * reach / count) * u(0.85, 1.05)
    offset = u(0, 360)
    petals = [
        Piece(moved(turn(oval(reach, 0, 0.26, wide), offset + 360 * k / count), 0, y), "paint")
        for k in range(count)
    ]
    bend, low = u(-0.15, 0.15), u(0.35, 0.6)
    leaves = [
        Piece(moved(turn(oval(s * 0.3, 0, 0.3, 0.1), -s * u(15, 40)), 0.6 * bend, low), "leaf")
        for s in (-1, 1)
    ]
    return [
        Piece(curve((0, y), (bend, 0.3), (0.3 * bend, 1.0)), "leaf", 0.07),
        *leaves[: int(rng.integers(1, 3))],
        *petals,
        Piece(oval(0, y, u(0.16, 0.22)), "yellow"),
    ]


def ice_cream(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    w, y = u(0.38, 0.48), u(-0.1, 0.05)
    cone = dots((-w, y), (w, y), (0, 1.0))
    lines = []
    for k in (0.3, 0.6):
        lines += [
            dots((-w + 2 * w * k, y), (w * k, y + (1 - y) * (1 - k))),
            dots((w - 2 * w * k, y), (-w * k, y + (1 - y) * (1 - k))),
        ]
    scoops = [Piece(oval(0, y - 0.2, 1.1 * w, 0.9 * w), "paint")]
    if u() < 0.6:
        scoops.append(Piece(oval(u(-0.06, 0.06), y - 0.2 - w, 0.85 * w, 0.8 * w), "paint2"))
    cherry = Piece(oval(0, y - 0.25 - 0.85 * w * len(scoops), 0.1), "red", detail=True)
    return [
        Piece(cone, "wafer"),
        *[Piece(line, "wood", 0.035, True) for line in lines],
        cherry,
        *reversed(scoops),
    ]


def mushroom(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    w, h, brim = u(0.8, 0.98), u(0.75, 1.05), u(0.05, 0.15)
    cap = curve(
        (-w, 0.05), (-0.8 * w, -0.6 * h), (0, -0.85 * h), (0.8 * w, -0.6 * h), (w, 0.05),
        (0.5 * w, brim + 0.08), (0, brim + 0.1), (-0.5 * w, brim + 0.08), closed=True,
    )  # fmt: skip
    a, b = u(0.2, 0.3), u(0.26, 0.4)
    stem = curve((-a, 0.0), (-a, 0.4), (-b, 0.85), (0, 0.95), (b, 0.85), (a, 0.4), (a, 0.0))
    spots = [(-0.45, -0.25), (0.05, -0.5), (0.48, -0.2), (0.0, -0.1)][: int(rng.integers(2, 5))]
    return [
        Piece(stem, "cream"),
        Piece(cap, "paint"),
        *[Piece(oval(x * w, y * h, u(0.09, 0.16), u(0.08, 0.13)), "light") for x, y in spots],
    ]


def tree(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    w = u(0.1, 0.17)
    foot = u(1.2, 1.8) * w
    trunk = dots((-w, 0.0), (w, 0.0), (0.9 * w, 0.7), (foot, 0.98), (-foot, 0.98), (-0.9 * w, 0.7))
    count, r, flat = int(rng.integers(7, 11)), u(0.62, 0.8), u(0.75, 0.95)
    crown = []
    for k in range(2 * count):
        angle = np.pi * k / count
        radius = r * (u(0.97, 1.1) if k % 2 else u(0.78, 0.86))
        crown.append((radius * np.cos(angle), -0.32 + flat * radius * np.sin(angle)))
    fork = [dots((0, 0.25), (s * u(0.15, 0.3), u(-0.2, 0.0))) for s in (-1, 1)]
    return [
        Piece(trunk, "wood"),
        Piece(curve(*crown, closed=True), "leaf"),
        Piece(dots((0, 0.35), (0, u(-0.3, -0.1))), "wood", 0.06, True),
        *[Piece(branch, "wood", 0.045, True) for branch in fork],
    ]


PLANTS = (apple, cactus, flower, ice_cream, mushroom, tree)
