"""Scores and neighbours in blocks of queries, from vectors or scores alone: no label is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.neighbours import first_of
from sbirctl.retrieval.ranking import one_blas_thread
from sbirctl.retrieval.ranking_problem import TILE, RankingProblem


@dataclass(frozen=True)
class Nearest:
    """The first rows of n queries.

    Attributes:
        row: (n, k) int64, best first; equal scores in the gallery's order.
        score: (n, k) float64; infinite for a row itself.
        least: (n,) float64, the lowest score of all rows.
    """

    row: np.ndarray
    score: np.ndarray
    least: np.ndarray


def unlabelled(
    query: np.ndarray,
    gallery: np.ndarray,
    scores: np.ndarray | None = None,
    distances: np.ndarray | None = None,
) -> Embeddings:
    """Embeddings that hold nothing else; every row has the same label."""
    return Embeddings(
        query,
        gallery,
        np.zeros(len(query), dtype=np.int64),
        np.zeros(len(gallery), dtype=np.int64),
        ("",),
        scores=scores,
        distances=distances,
    )


def score_type(e: Embeddings) -> np.dtype:
    """In which type the scores of pairs are compared."""
    sides = (e.query, e.gallery) if e.matrix is None else (e.matrix,)
    small = (np.float16, np.float32)
    return np.dtype(np.float32 if all(side.dtype in small for side in sides) else np.float64)


def score_blocks(
    e: Embeddings, report: Reporter = SILENT, label: str = "ranking"
) -> Iterator[np.ndarray]:
    """Rows of the scores of all pairs, in the order of the file: cosine, or as given.

    Gives:
        (at most 512, N) float32 or float64, the higher the better; overwritten by the next.
    """
    plain = unlabelled(e.query, e.gallery, e.scores, e.distances)
    problem = RankingProblem.from_embeddings(plain, "cosine")
    scores = np.empty((TILE, len(e.gallery)), dtype=problem.gallery.dtype)
    with report.bar(label, problem.tiles) as advance:
        for index in range(problem.tiles):
            with one_blas_thread():
                problem.scores(index, scores)
            yield scores[: len(e.query) - index * TILE]
            advance()


def nearest_rows(
    e: Embeddings, k: int, report: Reporter = SILENT, *, itself: bool = False
) -> Nearest:
    """The k rows of the gallery with the highest scores, exactly.

    Args:
        k: fewer where the gallery is smaller.
        itself: queries and gallery are the same rows, and each is its own first neighbour, whatever
            repeats it.
    """
    size, k = len(e.query), min(k, len(e.gallery))
    row, score = np.empty((size, k), dtype=np.int64), np.empty((size, k))
    least, order = np.empty(size), np.arange(len(e.gallery))
    at = 0
    for block in score_blocks(e, report, "neighbours"):
        least[at : at + len(block)] = block.min(axis=1)
        for scores in block:
            if itself:
                scores[at] = np.inf
            row[at] = first_of(scores, order, k) if k else ()
            score[at] = scores[row[at]]
            at += 1
    return Nearest(row, score, least)
