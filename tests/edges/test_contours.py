"""The geometry step by hand and by naive loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbirctl.edges.contours import weigh_by_contours, without_frame


def sigma(exponent: float) -> float:
    return 1 / (1 + math.exp(exponent))


def test_a_straight_line_by_hand() -> None:
    strength = np.zeros((40, 50), dtype=np.float32)
    strength[20, 15:35] = 0.6
    strength[20, 20] = 1.0
    angle = np.full(strength.shape, 90.0, dtype=np.float32)
    diagonal = math.hypot(40, 50)
    shape = sigma(1.8706 - 2.9498 * 20 / diagonal - 1.5891 * 19 / 20)
    for x, own in ((20, 1.0), (30, 0.6)):
        contrast = sigma(3.5048 - 1.7025 * 0.62 - 3.5818 * 1.0 - 6.8393 * own)
        expected = sigma(2.8851 - 1.6519 * shape - 4.3131 * contrast)
        assert weigh_by_contours(strength, angle)[20, x] == pytest.approx(expected, rel=1e-5)


def test_only_edge_pixels_count_and_weak_contours_go() -> None:
    strength = np.zeros((40, 50), dtype=np.float32)
    strength[15, 15:35] = 0.5
    strength[25, 15:35] = 0.1  # never above the high threshold
    result = weigh_by_contours(strength, np.full(strength.shape, 90.0))
    assert np.array_equal(result > 0, strength == 0.5)
    assert not weigh_by_contours(strength * 0, np.zeros(strength.shape)).any()


def test_longer_and_smoother_contours_weigh_more() -> None:
    strength = np.zeros((60, 60), dtype=np.float32)
    strength[15, 15:45] = strength[30, 15:25] = strength[45, 15:45] = 0.5
    angle = np.full(strength.shape, 90.0)
    angle[45, 15:45:2] = 110  # linked, but not smooth
    result = weigh_by_contours(strength, angle)
    assert result[15, 20] > result[30, 20]
    assert result[15, 20] > result[45, 20]


def test_a_corner_parts_contours() -> None:
    strength = np.zeros((60, 60), dtype=np.float32)
    strength[30, 15:31] = 0.5
    strength[31:46, 30] = 0.5
    apart = np.where(np.arange(60)[:, None] > 30, 0.0, 90.0) * np.ones((60, 60))
    joined = np.full((60, 60), 90.0)
    assert weigh_by_contours(strength, joined)[30, 20] > weigh_by_contours(strength, apart)[30, 20]


def test_lines_along_the_frame_go_and_others_stay() -> None:
    strength = np.ones((40, 50), dtype=np.float32)
    level, upright = np.full((40, 50), 90.0), np.full((40, 50), 0.0)
    kept = without_frame(strength, level) > 0
    assert kept[10:-10].all()
    assert not kept[:10].any()
    assert not kept[-10:].any()
    kept = without_frame(strength, upright) > 0
    assert kept[:, 10:-10].all()
    assert not kept[:, :10].any()
    assert not kept[:, -10:].any()
    assert (without_frame(strength, np.full((40, 50), 45.0)) > 0).all()


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_against_naive_loops(seed: int) -> None:
    generator = np.random.default_rng(seed)
    strength = np.zeros((30, 32), dtype=np.float32)
    inner = generator.random((8, 9)).astype(np.float32) + 0.2
    strength[11:19, 11:20] = np.where(generator.random(inner.shape) < 0.6, 0, inner / 1.2)
    angle = generator.choice([0.0, 4.0, 25.0, 90.0, 176.0], strength.shape)
    np.testing.assert_allclose(
        weigh_by_contours(strength, angle), naive(strength, angle), atol=1e-6
    )


def naive(strength: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Steps c to e pixel by pixel; every piece here holds a strong pixel or none is expected."""
    from sbirctl.edges.hysteresis import hysteresis

    edges = hysteresis(strength, 0.01, 0.18)
    points = [tuple(p) for p in np.argwhere(edges > 0)]
    neighbours: dict[tuple, list[tuple]] = {p: [] for p in points}
    affinity: dict[tuple, float] = dict.fromkeys(points, 0.0)
    for p in points:
        for q in points:
            if p == q or math.dist(p, q) >= 1.5:
                continue
            difference = abs(angle[p] - angle[q])
            difference = min(difference, 180 - difference)
            if difference <= 30:
                neighbours[p].append(q)
                if difference < 9:
                    affinity[p] += 1 - difference**2 / 81
    result, done = np.zeros_like(strength), set()
    for p in points:
        if p in done:
            continue
        contour, queue = {p}, [p]
        while queue:
            for q in neighbours[queue.pop()]:
                if q not in contour:
                    contour.add(q)
                    queue.append(q)
        done |= contour
        values = [float(edges[q]) for q in contour]
        length, diagonal = len(contour), math.hypot(*strength.shape)
        f1 = min(length, diagonal) / diagonal
        f2 = sum(affinity[q] for q in contour) / 2 / length
        for q in contour:
            g = sigma(1.8706 - 2.9498 * f1 - 1.5891 * f2)
            f3, f4, f5 = sum(values) / length, max(values), float(edges[q])
            h = sigma(3.5048 - 1.7025 * f3 - 3.5818 * f4 - 6.8393 * f5)
            result[q] = sigma(2.8851 - 1.6519 * g - 4.3131 * h)
    return result
