"""The first K photos of some queries, exactly, as the metrics rank them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import problems
from sbirctl.retrieval.ranking_problem import TILE, RankingProblem


@dataclass(frozen=True)
class Neighbours:
    """The first photos of n queries.

    Attributes:
        row: (n, k) int64, rows of the gallery, best first; -1 where fewer photos are ranked.
        score: (n, k) float64, cosine or as given; NaN where `row` is -1.
    """

    row: np.ndarray
    score: np.ndarray


def nearest(
    embeddings: Embeddings, queries: np.ndarray, k: int, report: Reporter = SILENT
) -> Neighbours:
    """The k photos of highest cosine; equal scores in gallery order, as `standard` ranks them.

    Where the file holds scores or distances of pairs, those rank. A query of scope "class" sees
    the photos of its group only.

    Args:
        queries: (n,) rows of `embeddings.query`; they may repeat.
        k: at least 1.
    """
    wanted, place = np.unique(queries, return_inverse=True)
    row = np.full((len(wanted), k), -1, dtype=np.int64)
    score = np.full((len(wanted), k), np.nan)
    for ranked, photos in problems(embeddings):
        mine = wanted if ranked is None else np.intersect1d(wanted, ranked)
        if not len(mine):
            continue
        problem = RankingProblem.from_embeddings(embeddings, "cosine", query=mine, gallery=photos)
        scores = np.empty((TILE, len(problem.order)), dtype=problem.gallery.dtype)
        with report.bar("ranking", problem.tiles) as advance:
            for index in range(problem.tiles):
                problem.scores(index, scores)
                for i, query in enumerate(problem.query[index * TILE : (index + 1) * TILE]):
                    first = first_of(scores[i], problem.order, k)
                    at = int(np.searchsorted(wanted, query))
                    row[at, : len(first)] = problem.gallery_row[first]
                    score[at, : len(first)] = scores[i, first]
                advance()
    return Neighbours(row[place], score[place])


def first_of(scores: np.ndarray, order: np.ndarray, k: int) -> np.ndarray:
    """Columns of the k highest scores, best first; among equal ones the lower `order` first.

    Args:
        scores, order: (n,) each.

    Returns:
        (min(k, n),) int64.
    """
    found = np.arange(len(scores))
    if k < len(scores):
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        found = np.flatnonzero(scores >= least)  # more than k where the last score is tied
    return found[np.lexsort((order[found], -scores[found]))][:k]
