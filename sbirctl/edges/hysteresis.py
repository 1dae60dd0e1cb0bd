"""Hysteresis: weak edge pixels stay where they hang together with a strong one."""

from __future__ import annotations

import numpy as np


def hysteresis(strength: np.ndarray, low: float, high: float) -> np.ndarray:
    """Keep the 8-connected pieces of strength > low that somewhere exceed high.

    Args:
        strength: (H, W) float32.
        low, high: thresholds, low <= high.

    Returns:
        (H, W) float32: the strength of what stays, 0 elsewhere.
    """
    import cv2

    weak = strength > low
    _, piece = cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)
    strong = np.zeros(int(piece.max()) + 1, dtype=bool)
    strong[piece[weak & (strength > high)]] = True
    strong[0] = False  # piece 0 is what is not an edge
    return np.where(strong[piece], strength, np.float32(0))
