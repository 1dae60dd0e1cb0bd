"""How soon a drawing finds its target while it is drawn (on-the-fly retrieval).

Bhunia, Yang, Hospedales, Xiang and Song, "Sketch Less for More", CVPR 2020: the ranking percentile
and 1 / rank of the target over the share of the drawing, and the areas under both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sbirctl.report.curves import Curve
from sbirctl.retrieval.statistics import bootstrap_band, bootstrap_interval

SHARES = np.arange(1, 11) / 10


@dataclass(frozen=True)
class StrokeMeasure:
    """One measure over the share of the drawing.

    Attributes:
        curve: mean over the drawings at `SHARES`, with the band over drawings.
        area: under the curve by the trapezoid rule from 10 to 100 %, over 0.9: 1 at most.
        low, high: its percentile bootstrap interval over drawings.
        chance: of a random order, at every share.
    """

    curve: Curve
    area: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True)
class StrokeCurves:
    """What a run makes of unfinished drawings.

    Attributes:
        percentile: share of the other photos that stand behind the target, (N - rank) / (N - 1).
        reciprocal: 1 / rank.
        median: (shares,) median rank.
        drawings: how many there were.
    """

    percentile: StrokeMeasure
    reciprocal: StrokeMeasure
    median: np.ndarray
    drawings: int


def stroke_curves(
    ranks: np.ndarray,
    photos: np.ndarray,
    relevant: np.ndarray,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> StrokeCurves:
    """Curves and areas of some ranks.

    Args:
        ranks: (n, shares) int64 from 1, a row a drawing.
        photos: (n,) int64, how many were ranked for each; at least 2.
        relevant: (n,) int64, of how many the first one's rank counts.
    """
    chance = np.array([first_by_chance(*pair) for pair in zip(photos, relevant, strict=True)])
    size = photos[:, None]
    return StrokeCurves(
        _measure((size - ranks) / (size - 1), float(chance[:, 0].mean()), level, seed),
        _measure(1 / ranks, float(chance[:, 1].mean()), level, seed),
        np.median(ranks, axis=0),
        len(ranks),
    )


def first_by_chance(photos: int, relevant: int) -> tuple[float, float]:
    """Mean percentile and mean 1 / rank of the first relevant photo, over all orders.

    The first of R is behind rank r with the chance of the first r being of the other N - R.
    """
    place = np.arange(photos - relevant + 1)
    behind = np.cumprod(np.append(1.0, (photos - relevant - place[:-1]) / (photos - place[:-1])))
    here = behind - np.append(behind[1:], 0.0)
    mean = float((here * (place + 1)).sum())
    return (photos - mean) / (photos - 1), float((here / (place + 1)).sum())


def _measure(values: np.ndarray, chance: float, level: float, seed: int) -> StrokeMeasure:
    low, high = bootstrap_band(values, level=level, seed=seed)
    areas = (values[:, 1:] + values[:, :-1]).mean(axis=1) / 2  # shares are evenly spaced
    ends = bootstrap_interval(areas, level=level, seed=seed)
    curve = Curve(SHARES, values.mean(axis=0), low, high)
    return StrokeMeasure(curve, float(areas.mean()), *ends, chance)
