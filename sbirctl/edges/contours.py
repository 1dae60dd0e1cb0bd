"""Gb's geometry step: an edge pixel counts for more on a long, smooth, strong contour.

Leordeanu et al., TPAMI 36(7), 2014, contour reasoning; the weights are those that were learned by
the authors (their code of October 2012), for the product of colour and soft segmentation.
"""

from __future__ import annotations

import math

import numpy as np

from sbirctl.edges.hysteresis import hysteresis

LOW, HIGH = 0.01, 0.18
FRAME, ALONG_FRAME = 10, 0.10
LINK_DEGREES, SMOOTH_DEGREES = 30.0, 9.0


def weigh_by_contours(strength: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Thin edges weighed by the contours they form.

    Args:
        strength: (H, W) float32, thin, 0..1.
        angle: (H, W) normals in degrees, 0 <= angle < 180.

    Returns:
        (H, W) float32: about 0.07..0.95 on edge pixels, 0 elsewhere.
    """
    edges = hysteresis(without_frame(strength, angle), LOW, HIGH)
    y, x = np.nonzero(edges)
    if not len(y):
        return edges
    first, second, difference = _links(edges, angle)
    features = _features(edges, first, second, difference)
    result = np.zeros_like(edges)
    result[y, x] = _calibrated(*features)
    return result


def without_frame(strength: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Without edges that hug the image's frame: near it and parallel to it. Shapes as above."""
    result = strength.copy()
    radians = np.deg2rad(angle)
    for one, parallel in (
        (result, np.abs(np.cos(radians)) < ALONG_FRAME),
        (result.T, (np.abs(np.sin(radians)) < ALONG_FRAME).T),
    ):
        one[:FRAME][parallel[:FRAME]] = 0
        one[-FRAME:][parallel[-FRAME:]] = 0
    return result


def _links(edges: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbouring edge pixels (numbered in reading order) of like direction, each pair once.

    Returns:
        first, second: (m,) int64 numbers of the pixels; difference: (m,) of their angles, degrees.
    """
    present = edges > 0
    number = np.cumsum(present).reshape(edges.shape) - 1
    height, width = edges.shape
    found = []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = np.s_[: height - dy, max(0, -dx) : width - max(0, dx)]
        there = np.s_[dy:, max(0, dx) : width + min(0, dx)]
        difference = np.abs(angle[here] - angle[there])
        difference = np.minimum(difference, 180 - difference)
        linked = present[here] & present[there] & (difference <= LINK_DEGREES)
        found.append((number[here][linked], number[there][linked], difference[linked]))
    first, second, difference = (np.concatenate(column) for column in zip(*found, strict=True))
    return first, second, difference


def _features(
    edges: np.ndarray, first: np.ndarray, second: np.ndarray, difference: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Per pixel: length, smoothness, mean and greatest strength of its contour, own strength."""
    from scipy.sparse import coo_matrix  # type: ignore[import-untyped]
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

    own = edges[edges > 0].astype(np.float64)
    links = coo_matrix((np.ones(len(first)), (first, second)), shape=(len(own), len(own)))
    count, contour = connected_components(links, directed=False)
    length = np.bincount(contour, minlength=count)
    smooth = difference < SMOOTH_DEGREES
    affinity = 1 - (difference[smooth] / SMOOTH_DEGREES) ** 2
    # Half the sum over a symmetric affinity matrix is the sum over pairs.
    smoothness = np.bincount(contour[first[smooth]], affinity, minlength=count) / length
    mean = np.bincount(contour, own, minlength=count) / length
    greatest = np.zeros(count)
    np.maximum.at(greatest, contour, own)
    diagonal = math.hypot(*edges.shape)
    per_contour = (np.minimum(length, diagonal) / diagonal, smoothness, mean, greatest)
    return (*(feature[contour] for feature in per_contour), own)


def _calibrated(
    length: np.ndarray,
    smoothness: np.ndarray,
    mean: np.ndarray,
    greatest: np.ndarray,
    own: np.ndarray,
) -> np.ndarray:
    shape = _logistic(1.8706 - 2.9498 * length - 1.5891 * smoothness)
    contrast = _logistic(3.5048 - 1.7025 * mean - 3.5818 * greatest - 6.8393 * own)
    return _logistic(2.8851 - 1.6519 * shape - 4.3131 * contrast)


def _logistic(exponent: np.ndarray) -> np.ndarray:
    shares: np.ndarray = 1 / (1 + np.exp(exponent))
    return shares
