"""Where the classes' numbers stand in a t-SNE: beside their points, and never on one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sbirctl.report.tsne import Projection

_RADII = (0.0, 0.04, 0.1, 0.18, 0.28, 0.4, 0.55)  # inches between an anchor and a box's edge
_ANGLES = np.radians([90, 0, 180, 270, 45, 135, 225, 315])
_APART = 0.45  # inches; a class whose sketches and photos are farther apart has two numbers


def anchors(
    projection: Projection, places: np.ndarray, modalities: Sequence[int]
) -> list[tuple[int, np.ndarray]]:
    """(class, place) of the points that numbers belong to: nearest to the median of their class.

    Of both modalities together where they lie together, else of each.

    Args:
        places: (n, 2) the points, in inches.
        modalities: those that the panel shows.
    """
    found = []
    for code in range(len(projection.classes)):
        middles = []
        own = projection.label == code
        for modality in modalities:
            mine = places[own & (projection.modality == modality)]
            if len(mine):
                middles.append(_middle(mine))
        if len(middles) == 2 and np.linalg.norm(middles[0] - middles[1]) < _APART:
            middles = [_middle(places[own])]
        found += [(code, middle) for middle in middles]
    return found


def _middle(points: np.ndarray) -> np.ndarray:
    nearest: np.ndarray = points[((points - np.median(points, axis=0)) ** 2).sum(axis=1).argmin()]
    return nearest


def arrange(
    anchors: np.ndarray, sizes: np.ndarray, points: np.ndarray, frame: np.ndarray
) -> np.ndarray:
    """(m, 2) centres of boxes near their anchors.

    One after the other takes the place that overlaps no box before it, then covers the fewest
    points, then is nearest. Only where a panel is too full do boxes overlap.

    Args:
        anchors: (m, 2) in any unit with those below: inches.
        sizes: (m, 2) widths and heights of the boxes.
        points: (n, 2) what should not be covered.
        frame: (2,) width and height; boxes stay within (0, 0) and it.
    """
    centres = np.zeros_like(anchors)
    for i, (anchor, size) in enumerate(zip(anchors, sizes, strict=True)):
        offsets = np.array([_offset(radius, angle, size) for radius in _RADII for angle in _ANGLES])
        tried = np.clip(anchor + offsets, size / 2, np.maximum(frame - size / 2, size / 2))
        reach = np.linalg.norm(tried - anchor, axis=1)
        before, room = centres[:i], (sizes[:i] + size) / 2
        inside = (np.abs(tried[:, None] - before) < room).all(axis=-1).sum(axis=1)
        near = points[(np.abs(points - anchor) < max(_RADII) + size.max()).all(axis=1)]
        covered = (np.abs(tried[:, None] - near) < size / 2).all(axis=-1).sum(axis=1)
        centres[i] = tried[np.argmin(1000 * inside + 0.5 * np.minimum(covered, 6) + 12 * reach)]
    return centres


def _offset(radius: float, angle: float, size: np.ndarray) -> np.ndarray:
    """From an anchor to the centre of a box whose edge is `radius` away in that direction."""
    way = np.array([np.cos(angle), np.sin(angle)])
    return way * (radius + size / 2)
