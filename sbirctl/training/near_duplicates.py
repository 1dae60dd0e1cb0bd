"""Photos that are one picture in other bytes: encoded again, of another size, a little brighter.

A difference hash (N. Krawetz, "Kind of Like That", 2013) at 17 x 16 cells: 256 bits that say where
a photo gets darker to the right. Sketches are not compared, since most of a sheet is white.
"""

from __future__ import annotations

import numpy as np

from sbirctl.core.progress import SILENT, Advance, Reporter
from sbirctl.sampling.subsets import ImageSubset

MOST_BITS = 16
"""Of 256: photos that differ in no more are taken for one picture."""
_SIDE = 16
_BATCH = 256


def near_duplicates(test: ImageSubset, train: ImageSubset, report: Reporter = SILENT) -> np.ndarray:
    """(len(test),) bool: photos that look like one that was trained on."""
    sides = [(side, *np.unique(side.row, return_inverse=True)) for side in (test, train)]
    with report.bar("comparing photos", sum(len(rows) for _, rows, _ in sides)) as advance:
        own, others = (_hashes(side, rows, advance)[at] for side, rows, at in sides)
    found = np.zeros(len(own), dtype=bool)
    for start in range(0, len(own), _BATCH):
        for first in range(0, len(others), 1 << 14):
            # The product of two signs is 256 minus twice the number of bits that differ.
            product = own[start : start + _BATCH] @ others[first : first + (1 << 14)].T
            near = (product >= _SIDE * _SIDE - 2 * MOST_BITS).any(axis=1)
            found[start : start + _BATCH] |= near
    return found


def _hashes(side: ImageSubset, rows: np.ndarray, advance: Advance) -> np.ndarray:
    """(len(rows), 256) float32 of -1 and 1."""
    parts = [np.empty((0, _SIDE * _SIDE), dtype=np.float32)]
    for start in range(0, len(rows), _BATCH):
        pixels = side.store.read(side.modality, rows[start : start + _BATCH])
        parts.append(difference_hash(pixels))
        advance(len(pixels))
    return np.concatenate(parts)


def difference_hash(pixels: np.ndarray) -> np.ndarray:
    """(n, H, W, C) uint8 to (n, 256) float32 of -1 and 1; flat places are 1."""
    grey = pixels.astype(np.float32).mean(axis=3)
    cells = _means(_means(grey, _SIDE, 1), _SIDE + 1, 2)
    bits = cells[:, :, 1:] >= cells[:, :, :-1]
    return np.where(bits, 1.0, -1.0).astype(np.float32).reshape(len(pixels), -1)


def _means(values: np.ndarray, count: int, axis: int) -> np.ndarray:
    """Means over `count` equal stretches of an axis, which may cut through a pixel."""
    length = values.shape[axis]
    edges = np.linspace(0, length, count + 1)
    start, end = edges[:-1, None], edges[1:, None]
    place = np.arange(length)
    share = (np.minimum(end, place + 1) - np.maximum(start, place)).clip(min=0)
    share = (share / share.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.moveaxis(np.tensordot(values, share, axes=(axis, 1)), -1, axis)
