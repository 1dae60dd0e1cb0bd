"""Hysteresis on a case drawn by hand."""

import numpy as np

from sbirctl.edges.hysteresis import hysteresis


def test_weak_pixels_stay_only_beside_strong_ones() -> None:
    strength = np.array(
        [
            [0.3, 0.0, 0.0, 0.3, 0.0],
            [0.0, 0.3, 0.0, 0.3, 0.0],
            [0.0, 0.0, 0.9, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0],
            [0.3, 0.3, 0.05, 0.9, 0.5],
        ],
        dtype=np.float32,
    )
    kept = strength.copy()
    kept[4, :3] = 0  # weak and cut off by a pixel below both
    np.testing.assert_array_equal(hysteresis(strength, 0.1, 0.8), kept)


def test_thresholds_are_exceeded_not_reached() -> None:
    strength = np.array([[0.5, 0.2]], dtype=np.float32)
    assert not hysteresis(strength, 0.1, 0.5).any()
    assert hysteresis(strength, 0.2, 0.4).tolist() == [[0.5, 0]]


def test_nothing_stays_of_nothing() -> None:
    assert not hysteresis(np.zeros((4, 5), dtype=np.float32), 0.0, 0.0).any()
