"""What is done with a tile of scores, on whichever device it was computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sbirctl.retrieval.metrics import Ranks
from sbirctl.retrieval.ranking_problem import TILE, RankingProblem


@dataclass(frozen=True)
class Consumer:
    """What is done with ranks; called from several threads, each query once.

    Attributes:
        ranks: takes (n,) positions of queries of one class and their `Ranks`.
        own: takes (n,) positions and (n,) ranks of the photo each sketch was drawn from (0 where
            it is not in the gallery), or None when nobody asks.
    """

    ranks: Callable[[np.ndarray, Ranks], None]
    own: Callable[[np.ndarray, np.ndarray], None] | None = None


class OwnPhotos:
    """Finds the photo each sketch was drawn from; every other photo of equal score is before it."""

    def __init__(self, problem: RankingProblem) -> None:
        e = problem.source
        assert e.query_instance is not None
        assert e.gallery_instance is not None
        self._wanted = e.query_instance
        instance = e.gallery_instance[problem.gallery_row]
        self._columns = np.argsort(instance, kind="stable")
        self._instance = instance[self._columns]

    def rank(self, query: int, row: np.ndarray) -> int:
        """Rank in one row of scores; 0 where the photo is not in the gallery."""
        wanted = self._wanted[query]
        low, high = np.searchsorted(self._instance, [wanted, wanted + 1])
        if wanted < 0 or low == high:
            return 0
        mine = row[self._columns[low:high]]
        best = mine.max()
        return int(np.count_nonzero(row >= best) - np.count_nonzero(mine >= best)) + 1


def segments(problem: RankingProblem, index: int) -> Iterator[tuple[slice, np.ndarray, slice]]:
    """Rows of a tile with one label: (rows, positions of the queries, columns of the photos).

    Queries without a relevant photo are passed over.
    """
    queries = problem.query[index * TILE : (index + 1) * TILE]
    labels = problem.source.query_label[queries]
    cuts = np.flatnonzero(np.diff(labels)) + 1
    for first, last in zip([0, *cuts], [*cuts, len(labels)], strict=True):
        label = labels[first]
        columns = slice(int(problem.start[label]), int(problem.start[label + 1]))
        if columns.stop > columns.start:
            yield slice(int(first), int(last)), queries[first:last], columns
