"""Ranks along the drawing: percentile, 1 / rank, their areas and chance, by hand and by loops."""

import itertools

import numpy as np
import pytest

from sbirctl.report.stroke_curves import first_by_chance, stroke_curves


def test_areas_by_hand():
    ranks = np.array([[11] * 10, [1] * 10])
    found = stroke_curves(ranks, np.array([11, 11]), np.array([1, 1]))
    assert found.percentile.curve.y == pytest.approx(np.full(10, 0.5))
    assert found.percentile.area == pytest.approx(0.5)
    assert found.reciprocal.area == pytest.approx((1 / 11 + 1) / 2)
    assert found.median == pytest.approx(np.full(10, 6))
    rising = np.array([[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]])
    found = stroke_curves(rising, np.array([11]), np.array([1]))
    assert found.percentile.curve.y == pytest.approx(np.arange(1, 11) / 10)
    assert found.percentile.area == pytest.approx(0.55)  # the trapezoid from 0.1 to 1


@pytest.mark.parametrize(("photos", "relevant"), [(2, 1), (5, 1), (6, 2), (6, 5), (6, 6)])
def test_chance_is_the_mean_over_all_orders(photos, relevant):
    firsts = [min(places) for places in itertools.combinations(range(1, photos + 1), relevant)]
    percentile, reciprocal = first_by_chance(photos, relevant)
    assert percentile == pytest.approx(np.mean([(photos - r) / (photos - 1) for r in firsts]))
    assert reciprocal == pytest.approx(np.mean([1 / r for r in firsts]))
