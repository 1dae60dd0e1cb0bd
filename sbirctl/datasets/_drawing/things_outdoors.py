"""Buildings and vehicles as outlines; each function draws one variation of its class."""

from __future__ import annotations

import numpy as np

from sbirctl.datasets._drawing.outline import Piece, box, curve, dots, moved, oval


def balloon(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    r, y = u(0.6, 0.7), -0.35
    side = [(0.5 * r, -0.98), (r, -0.45), (0.75 * r, 0.05), (0.16, 0.42)]
    bulb = curve((0, -1.0), *side, *[(-a, b) for a, b in reversed(side)], closed=True)
    seams = [
        curve((0, -0.99), (s * r, y), (0.25 * s, 0.42)) for s in (-0.55, 0.0, 0.55)
    ]  # fmt: skip
    w = u(0.15, 0.2)
    ropes = [dots((s * 0.15, 0.4), (s * w, 0.74)) for s in (-1, 1)]
    return [
        *[Piece(rope, "dark", 0.03) for rope in ropes],
        Piece(bulb, "paint"),
        *[Piece(seam, "paint2", u(0.05, 0.1), k == 1) for k, seam in enumerate(seams)],
        Piece(dots((-w, 0.72), (w, 0.72), (0.85 * w, 1.0), (-0.85 * w, 1.0)), "wood"),
    ]


def bicycle(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    r, y, x = u(0.36, 0.42), 0.38, u(0.54, 0.58)
    seat, crank, head = (-0.25, u(-0.3, -0.2)), (-0.08, 0.4), (0.36, u(-0.35, -0.25))
    bars = [
        ((-x, y), seat), ((-x, y), crank), (seat, crank), (seat, head), (crank, head),
    ]  # fmt: skip
    pieces = []
    for s in (-x, x):
        pieces.append(Piece(oval(s, y, r), "tyre", 0.07))
        for k in range(4):
            way = r * np.array([np.cos(np.pi * k / 4), np.sin(np.pi * k / 4)])
            pieces.append(Piece(moved(np.stack([-way, way]), s, y), "metal", 0.015, True))
    pieces += [Piece(dots(*ends), "paint", 0.065) for ends in bars]
    up = (head[0] - 0.06, head[1] - 0.2)
    grip = curve(up, (up[0] + 0.15, up[1] - 0.03), (up[0] + 0.24, up[1] + 0.1))
    return [
        *pieces,
        Piece(dots((x, y), up), "paint", 0.065),
        Piece(grip, "tyre", 0.07),
        Piece(dots(seat, (seat[0] - 0.03, seat[1] - 0.13)), "metal", 0.05),
        Piece(oval(seat[0] - 0.05, seat[1] - 0.16, u(0.15, 0.2), 0.06), "tyre"),
        Piece(oval(*crank, 0.08), "metal", 0.04, True),
    ]


def car(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    belt, top, low = u(-0.08, 0.02), u(-0.52, -0.4), 0.38
    front, back = u(-0.5, -0.35), u(0.5, 0.7)
    roof0, roof1 = front + u(0.18, 0.28), back - u(0.12, 0.25)
    body = curve(
        (-0.98, 0.3), (-0.95, belt + 0.1), (front, belt), (roof0, top), (0.1, top - 0.04),
        (roof1, top), (back, belt), (0.95, belt + 0.06), (0.98, 0.3), (0.9, low), (0, low),
        (-0.9, low), closed=True,
    )  # fmt: skip
    mid = (roof0 + roof1) / 2
    ends = (top + 0.07, belt)
    panes = [
        dots((front + 0.1, belt), (roof0 + 0.04, top + 0.09), *((mid - 0.03, y) for y in ends)),
        dots((back - 0.08, belt), (roof1 - 0.02, top + 0.09), *((mid + 0.04, y) for y in ends)),
    ]
    r = u(0.19, 0.24)
    wheels = []
    for x in (-0.56, 0.56):
        wheels += [Piece(oval(x, low, r), "tyre"), Piece(oval(x, low, 0.5 * r), "metal")]
    return [
        Piece(body, "paint"),
        *[Piece(pane, "glass") for pane in panes],
        *wheels,
        Piece(dots((mid, belt + 0.05), (mid, low - 0.08)), "dark", 0.025, True),
        Piece(oval(-0.9, belt + 0.16, 0.06, 0.05), "yellow", detail=True),
    ]


def house(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    w, eave, over = u(0.6, 0.75), u(-0.2, 0.0), u(0.1, 0.22)
    ridge = u(0.0, 0.3) * w
    top, low = eave - u(0.5, 0.7), 0.9
    roof = dots((-w - over, eave), (-ridge, top), (ridge, top), (w + over, eave))
    door = u(0.13, 0.18)
    place = rng.choice([-0.4, 0.0, 0.4]) * w
    panes = [x for x in (-0.55 * w, 0.0, 0.55 * w) if abs(x - place) > 0.3]
    pieces = [
        Piece(box(0.45 * w, top - 0.05, 0.45 * w + 0.17, eave - 0.1), "brick", detail=True),
        Piece(box(-w, eave, w, low), "wall"),
        Piece(roof, "roof"),
        Piece(box(place - door, low - u(0.45, 0.55), place + door, low), "wood"),
    ]
    for x in panes:
        y, s = eave + 0.32, 0.14
        pieces += [
            Piece(box(x - s, y - s, x + s, y + s), "glass"),
            Piece(dots((x, y - s), (x, y + s)), "light", 0.03, True),
            Piece(dots((x - s, y), (x + s, y)), "light", 0.03, True),
        ]
    return pieces


def rocket(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    w, fin = u(0.26, 0.34), u(0.25, 0.36)
    body = curve(
        (0, -1.0), (0.7 * w, -0.62), (w, -0.2), (0.95 * w, 0.3), (0.7 * w, 0.6), (-0.7 * w, 0.6),
        (-0.95 * w, 0.3), (-w, -0.2), (-0.7 * w, -0.62), closed=True,
    )  # fmt: skip
    fins = [
        dots((s * 0.85 * w, 0.1), (s * (w + fin), 0.55), (s * (w + fin), 0.8), (s * 0.6 * w, 0.58))
        for s in (-1, 1)
    ]
    tip = np.concatenate([body[(body[:, 1] < -0.55) & (body[:, 0] >= 0)],
                          body[(body[:, 1] < -0.55) & (body[:, 0] < 0)]])  # fmt: skip
    flame = curve(
        (-0.5 * w, 0.6), (-0.45 * w, 0.8), (0, u(0.92, 1.05)), (0.45 * w, 0.8), (0.5 * w, 0.6)
    )
    return [
        Piece(flame, "orange", detail=True),
        *[Piece(points, "paint2") for points in fins],
        Piece(body, "light"),
        Piece(tip, "paint2"),
        Piece(oval(0, u(-0.3, -0.15), u(0.12, 0.16)), "glass"),
        Piece(dots((-0.85 * w, 0.35), (0.85 * w, 0.35)), "paint2", 0.05, True),
    ]


def sailboat(rng: np.random.Generator) -> list[Piece]:
    u = rng.uniform
    deck, keel, mast = u(0.45, 0.55), u(0.82, 0.95), u(-0.08, 0.12)
    hull = curve(
        (-0.9, deck), (-0.65, keel - 0.08), (-0.4, keel), (0.4, keel), (0.68, keel - 0.1),
        (0.95, deck),
    )  # fmt: skip
    top, foot = u(-1.0, -0.88), deck - u(0.1, 0.18)
    main = curve((mast + 0.05, top + 0.05), (mast + 0.45, -0.1), (mast + u(0.55, 0.75), foot))
    main = np.concatenate([main, dots((mast + 0.05, foot))])
    jib = dots((mast - 0.05, top + 0.15), (mast - 0.05, foot), (mast - u(0.5, 0.65), foot))
    flag = dots((mast, top - 0.06), (mast + 0.22, top + 0.0), (mast, top + 0.06))
    return [
        Piece(dots((mast, top - 0.05), (mast, deck + 0.05)), "wood", 0.055),
        Piece(flag, "red", detail=True),
        Piece(main, "sail"),
        Piece(jib, "sail2"),
        Piece(hull, "paint"),
        Piece(dots((-0.8, deck + 0.12), (0.85, deck + 0.12)), "light", 0.04, True),
    ]


OUTDOORS = (balloon, bicycle, car, house, rocket, sailboat)
