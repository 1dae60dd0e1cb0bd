"""Thin edges: non-maximum suppression along the normal, then a skeleton one pixel wide."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

REACH = 2  # pixels to both sides at which a crest must be lower; also the border that is dropped


def thin(strength: Tensor, angle: Tensor) -> Tensor:
    """Keep a boundary's crest.

    Args:
        strength: (n, H, W) float32, not negative; 0 is never kept.
        angle: (n, H, W) direction of the normal in degrees, 0 <= angle < 180.

    Returns:
        (n, H, W): the strength on the skeleton of its crests, 0 elsewhere.
    """
    crests = non_maximum_suppression(strength, angle)
    return crests * skeleton(crests > 0)


def non_maximum_suppression(strength: Tensor, angle: Tensor) -> Tensor:
    """Strength where it exceeds both (bilinear) samples two pixels along the normal, else 0.

    The angle counts in whole degrees; two pixels at the border are dropped. Shapes as in `thin`.
    """
    inner = torch.zeros_like(strength, dtype=torch.bool)
    inner[:, REACH:-REACH, REACH:-REACH] = strength[:, REACH:-REACH, REACH:-REACH] > 0
    flat = strength.flatten()
    at = inner.flatten().nonzero().squeeze(1)
    degree = angle.flatten()[at].int() % 180
    value = flat[at]
    keep = torch.ones_like(value, dtype=torch.bool)
    for direction in (degree, degree + 180):
        keep &= value > _sample(flat, at, direction, strength.shape[2])
    result = torch.zeros_like(flat)
    result[at] = torch.where(keep, value, 0)
    return result.view_as(strength)


def _sample(flat: Tensor, at: Tensor, direction: Tensor, width: int) -> Tensor:
    """Bilinear samples two pixels from the places `at` of flattened images, in whole degrees."""
    table = _shifts(flat.device)
    top, left, down, right = (column.index_select(0, direction) for column in table)
    corner = at + (top * width + left).long()
    # A corner beyond the last pixel has weight 0; any pixel will do in its place.
    last = flat.numel() - 1
    corners = [(corner + shift).clamp_(max=last) for shift in (0, 1, width, width + 1)]
    a, b, c, d = (flat.index_select(0, one) for one in corners)
    above, below = torch.lerp(a, b, right), torch.lerp(c, d, right)
    return torch.lerp(above, below, down)


def skeleton(mask: Tensor) -> Tensor:
    """Thin a mask to lines one pixel wide without breaking or joining anything.

    Z. Guo, R. W. Hall: Parallel thinning with two-subiteration algorithms, CACM 32(3), 1989.

    Args:
        mask: (n, H, W) bool.

    Returns:
        (n, H, W) bool.
    """
    tables = [table.to(mask.device) for table in _deletions()]
    current = torch.nn.functional.pad(mask, (1, 1, 1, 1)).to(torch.uint8)
    while True:
        before = current
        for table in tables:
            gone = table[_neighbour_code(current).int()]
            current = current.clone()
            current[:, 1:-1, 1:-1] *= ~gone
        if torch.equal(before, current):
            return current[:, 1:-1, 1:-1].bool()


# Neighbours clockwise from north: (y, x) offsets; bit k of a code is neighbour k.
_RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def _neighbour_code(framed: Tensor) -> Tensor:
    height, width = framed.shape[1] - 2, framed.shape[2] - 2
    code = torch.zeros_like(framed[:, 1:-1, 1:-1])
    for bit, (y, x) in enumerate(_RING):
        code += framed[:, 1 + y : 1 + y + height, 1 + x : 1 + x + width] << bit
    return code


@lru_cache(maxsize=1)
def _deletions() -> tuple[Tensor, Tensor]:
    """For both subiterations: (256,) bool, whether a pixel with these neighbours goes."""
    first = torch.zeros(256, dtype=torch.bool)
    second = torch.zeros(256, dtype=torch.bool)
    for code in range(256):
        n, ne, e, se, s, sw, w, nw = (bool(code >> bit & 1) for bit in range(8))
        crossings = sum(
            (not side) and (a or b)
            for side, a, b in ((n, ne, e), (e, se, s), (s, sw, w), (w, nw, n))
        )
        pairs = min(
            sum((nw or n, ne or e, se or s, sw or w)), sum((n or ne, e or se, s or sw, w or nw))
        )
        if crossings == 1 and 2 <= pairs <= 3:
            first[code] = not ((n or ne or not se) and e)
            second[code] = not ((s or sw or not nw) and w)
    return first, second


@lru_cache(maxsize=4)
def _shifts(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Where a sample at distance 2 lies, for 360 whole degrees.

    Returns:
        (360,) each: row and column of the upper left of four pixels (float32 whole numbers), and
        how far below and to the right of it the sample is, 0..1.
    """
    radians = torch.arange(360, dtype=torch.float64).deg2rad()
    # Rounding makes cos 90° exactly 0, so that a sample on a pixel is that pixel.
    y = (-REACH * radians.sin()).round(decimals=9)
    x = (REACH * radians.cos()).round(decimals=9)
    top, left = y.floor(), x.floor()
    table = (top, left, y - top, x - left)
    return tuple(column.float().to(device) for column in table)  # type: ignore[return-value]
