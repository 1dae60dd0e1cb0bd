"""Photos of drawings on paper to black on white: uneven light, grey paper and pencil evened out."""

from __future__ import annotations

import numpy as np

CLEAN = ("auto", "yes", "no")
_PAPER = 245  # grey value from which a pixel is white paper
_MOST = 0.6  # of a clean drawing's pixels are paper
_WINDOW = 0.12  # of the longer side: wider than strokes, narrower than shadows
_NOISE = 4.0  # a stroke is this many deviations of the paper's grain darker than paper
_LEAST = 0.04  # and at least this share of the paper's brightness
_SPECK = 2e-5  # of the sheet's area: smaller dark spots are grain


def is_clean(grey: np.ndarray) -> bool:
    """Whether a drawing is dark on white already, as programs make them.

    Args:
        grey: (h, w) uint8.
    """
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return bool(np.mean(grey >= _PAPER) >= _MOST and np.mean(edge >= _PAPER) >= _MOST)


def clean_paper(grey: np.ndarray) -> np.ndarray:
    """Black strokes on white from a photo of a drawing, or from one that is light on dark.

    The paper's brightness is what is left when dark strokes are closed; what is darker than that by
    more than the grain is ink, and the darkest ink becomes black.

    Args:
        grey: (h, w) uint8.

    Returns:
        (h, w) uint8.
    """
    import cv2

    if np.median(grey) < 128 and _light_on_dark(grey):
        grey = 255 - grey
    width = max(3, int(_WINDOW * max(grey.shape)) | 1)
    smooth = cv2.GaussianBlur(grey, (0, 0), 0.8)
    light = _light(smooth, width)
    darker = light - smooth
    darker -= np.median(darker)
    grain = 1.4826 * float(np.median(np.abs(darker)))
    least = np.maximum(_NOISE * grain, _LEAST * light)
    ink = _without_specks(darker > least)
    if not ink.any():
        return np.full_like(grey, 255)
    share, half = darker / np.maximum(light, 1), least / np.maximum(light, 1) / 2
    darkest = max(float(np.percentile(share[ink], 75)), float(half.max()) + 1e-3)
    value = np.clip((share - half) / (darkest - half), 0, 1)
    soft = cv2.dilate(ink.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0  # edges stay smooth
    return (255 * (1 - np.where(soft, value, 0))).round().astype(np.uint8)


def _light(grey: np.ndarray, width: int) -> np.ndarray:
    """The paper's brightness everywhere, (h, w) float32: strokes closed, then smoothed."""
    import cv2

    # light that falls off towards the edge goes on falling off beyond it
    edge = min(width, *(side - 1 for side in grey.shape))
    even = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 3)
    padded = np.pad(even, edge, mode="reflect", reflect_type="odd")
    padded[edge : edge + grey.shape[0], edge : edge + grey.shape[1]] = grey
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    light = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)
    light = cv2.GaussianBlur(light, (0, 0), width / 4)
    inside: np.ndarray = light[edge : edge + grey.shape[0], edge : edge + grey.shape[1]]
    return inside


def _light_on_dark(grey: np.ndarray) -> bool:
    """Chalk on a blackboard: away from the median, the light pixels lie further than the dark."""
    middle = float(np.median(grey))
    return float(np.percentile(grey, 99)) - middle > middle - float(np.percentile(grey, 1))


def _without_specks(ink: np.ndarray) -> np.ndarray:
    import cv2

    count, labels, facts, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    large = facts[:, cv2.CC_STAT_AREA] >= max(4, _SPECK * ink.size)
    large[0] = False
    return large[labels] if count else ink
