"""Curves of a ranking: precision at every recall and at every K, with bootstrap bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sbirctl.core.errors import MismatchError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import problems
from sbirctl.retrieval.ranking import Plan, rank
from sbirctl.retrieval.ranking_problem import Consumer, RankingProblem
from sbirctl.retrieval.ranks import Ranks
from sbirctl.retrieval.statistics import bootstrap_band

RECALLS = np.linspace(0, 1, 21)  # finer ones would draw the steps of small classes
_POINTS = 60  # of the precision@K curve


@dataclass(frozen=True)
class Curve:
    """A curve and its band.

    Attributes:
        x, y, low, high: (n,) float64 each; low and high are the ends of the percentile bootstrap
            interval over queries.
    """

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class RankingCurves:
    """Both curves of a run.

    Attributes:
        recall: interpolated precision at `RECALLS`.
        cut: precision at K.
        queries: how many count (those with a relevant photo).
    """

    recall: Curve
    cut: Curve
    queries: int


def ranking_curves(
    e: Embeddings,
    *,
    most: int = 200,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    report: Reporter = SILENT,
) -> RankingCurves:
    """Rank by cosine, equal scores in gallery order, and average the curves of the queries.

    With the i-th of R relevant photos at rank r_i, precision at recall x is max over i >= x R of
    i / r_i (Manning, Raghavan & Schütze 2008, Eq. 8.7), so recall 0 shows the best precision;
    precision at K is the number of r_i <= K, over K. A file of scope "class" is averaged over
    its groups' means, as its metrics are.

    Args:
        most: largest K; not more than the gallery has photos.
        level: of the band.

    Raises:
        MismatchError: no query has a relevant photo.
    """
    cuts = _cuts(min(most, len(e.gallery)))
    values = np.full((len(e.query), len(RECALLS) + len(cuts)), np.nan)

    def take(queries: np.ndarray, ranks: Ranks) -> None:
        values[queries] = np.hstack([_at_recall(ranks.rank), _at_cut(ranks.rank, cuts)])

    for queries, photos in problems(e):
        rank(
            RankingProblem.from_embeddings(e, "cosine", None, queries, photos),
            Consumer(take),
            Plan(),
            report,
        )
    counts = ~np.isnan(values[:, 0])
    if not counts.any():
        raise MismatchError("No query has a relevant photo.", "Choose another file.")
    group = None
    if e.scope == "class":
        group = (e.query_label if e.query_group is None else e.query_group)[counts]
    y = _mean(values[counts], group)
    low, high = bootstrap_band(values[counts], group, level=level, resamples=resamples, seed=seed)
    at = len(RECALLS)
    return RankingCurves(
        Curve(RECALLS, y[:at], low[:at], high[:at]),
        Curve(cuts.astype(np.float64), y[at:], low[at:], high[at:]),
        int(counts.sum()),
    )


def _mean(values: np.ndarray, group: np.ndarray | None) -> np.ndarray:
    """(m,) means over the (n, m) values of the queries, or over the means of their groups."""
    parts = [values] if group is None else [values[group == g] for g in np.unique(group)]
    means: np.ndarray = np.mean([part.mean(axis=0) for part in parts], axis=0)
    return means


def _cuts(most: int) -> np.ndarray:
    """Values of K: all the small ones, then evenly spaced."""
    return np.unique(
        np.concatenate(
            [np.arange(1, min(most, 10) + 1), np.linspace(1, most, _POINTS).round().astype(int)]
        )
    )


def _at_recall(ranks: np.ndarray) -> np.ndarray:
    """(n, recalls): interpolated precision, from the (n, R) ascending ranks."""
    relevant = ranks.shape[1]
    precision = np.arange(1, relevant + 1) / ranks
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # 0.3 * 10 is a little more than 3: the hits needed are whole numbers, so round first
    needed = np.ceil(np.round(RECALLS * relevant, 9)).astype(int)
    return best[:, np.maximum(needed, 1) - 1]


def _at_cut(ranks: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """(n, cuts): precision at K."""
    found = [np.searchsorted(row, cuts, side="right") for row in ranks]
    precision: np.ndarray = np.array(found) / cuts
    return precision
