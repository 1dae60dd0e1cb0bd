"""Ranks of the relevant photos in rows of scores, by counting instead of ordering the photos.

Every measure needs only the relevant photos' ranks, and a rank is a count of higher scores. NumPy's
way of counting is in `rank_counting`, after which equal scores are put in gallery order; `onepass`
does all of it in compiled code, where numba is installed and there is enough to count.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np

from sbirctl.retrieval.metrics import Ranks
from sbirctl.retrieval.rank_counting import Counter, RankCounter, in_gallery_order, inverse
from sbirctl.retrieval.ranking_problem import RankingProblem

COMPILED_FROM = 10**8
"""Scores from which compiled code saves more than importing numba and loading it cost, 0.4 s."""
COMPILED_MEMORY = 2 * 10**8
"""Bytes numba takes for itself while it compiles; some 120 MB later."""
_FEW = 8


def worth_compiling(problem: RankingProblem) -> bool:
    """Whether there is enough to count for compiled code."""
    return problem.encoder is None and len(problem.query) * len(problem.order) >= COMPILED_FROM


def counter(problem: RankingProblem, compiled: bool = True) -> Counter:
    """The counter for a ranking problem.

    Args:
        compiled: whether it may take `COMPILED_MEMORY` beyond its buffers.
    """
    if problem.encoder is not None:
        return CodeCounter(problem.order, problem.encoder.bits)
    if compiled and worth_compiling(problem):
        # no numba, none for this NumPy or system, or no folder to keep what it compiles
        with contextlib.suppress(ImportError, OSError, RuntimeError):
            from sbirctl.retrieval.onepass import OnePassCounter

            return OnePassCounter(problem.order)
    return FloatCounter(problem.order, problem.gallery.dtype)


@dataclass(frozen=True)
class _Ties:
    """Relevant scores of one row that another photo has too.

    Attributes:
        score: (m,) the scores.
        first: (m,) place of the first relevant photo of that score, best photo first.
        own: (m,) relevant photos of that score. others: (m,) other photos of it.
    """

    score: np.ndarray
    first: np.ndarray
    own: np.ndarray
    others: np.ndarray

    @classmethod
    def find(cls, relevant: np.ndarray, tied: np.ndarray, below: RankCounter, row: int) -> _Ties:
        """Ties of the (R,) marked relevant scores of one row that `rank_counting` has counted."""
        found = relevant[tied]  # ascending
        score = found[np.append(True, found[1:] != found[:-1])]
        high = relevant.searchsorted(score, "right")
        own = high - relevant.searchsorted(score)
        return cls(score, len(relevant) - high, own, below.equal(row, score, own))


class FloatCounter:
    """Counter for real-valued scores.

    Args:
        order: (N,) int64, place in the gallery of each column of the rows.
        dtype: float32 or float64, of the rows.
    """

    def __init__(self, order: np.ndarray, dtype: np.dtype) -> None:
        self._inverse = inverse(order)
        self._order = order
        self._rank_counter = RankCounter(len(order), dtype)
        self._places = np.arange(1, len(order) + 1, dtype=np.int32)

    def __call__(self, rows: np.ndarray, columns: slice) -> Ranks:
        """See `Counter`."""
        relevant = np.sort(rows[:, columns], axis=1)
        size = relevant.shape[1]
        rank = np.empty(relevant.shape, dtype=np.int32)
        upto = np.empty(relevant.shape, dtype=np.int32)
        for start in range(0, len(rows), self._rank_counter.batch):
            part = slice(start, start + self._rank_counter.batch)
            some, own = rows[part], relevant[part]
            lower, tied = self._rank_counter(some, own, columns)
            # as if all other photos of a score stood before the relevant ones
            rank[part] = (rows.shape[1] - size - lower)[:, ::-1]
            rank[part] += self._places[:size]
            upto[part] = rank[part]
            for i in np.flatnonzero(tied.any(axis=1)).tolist():
                ties = _Ties.find(own[i], tied[i], self._rank_counter, i)
                self._break_ties(some[i], columns, ties, rank[start + i], upto[start + i])
        return Ranks(rank, upto, np.count_nonzero(relevant > 0, axis=1), rows.shape[1])

    def _break_ties(
        self,
        row: np.ndarray,
        columns: slice,
        ties: _Ties,
        rank: np.ndarray,
        upto: np.ndarray,
    ) -> None:
        """Put equal scores of one row in gallery order and count them."""
        place = np.repeat(ties.first, ties.own) + _counting(ties.own)
        upto[place] = np.repeat(rank[ties.first] + ties.own - 1, ties.own)
        mixed = ties.others > 0
        if np.count_nonzero(mixed) > _FEW:
            rank[:] = in_gallery_order(-row, self._inverse, columns)
            return
        parts = (ties.score[mixed], ties.first[mixed], ties.own[mixed])
        for score, start, count in zip(*parts, strict=True):
            same = np.flatnonzero(row == score)
            relevant_ones = (same >= columns.start) & (same < columns.stop)
            rest = np.sort(self._order[same[~relevant_ones]])
            mine = np.sort(self._order[same[relevant_ones]])
            before = len(rest) - rest.searchsorted(mine)
            rank[start : start + count] -= before.astype(np.int32)


class CodeCounter:
    """Counter for Hamming ranking, where nearly every score is tied.

    The scores are the products of codes of +1 and -1: whole numbers from -bits to bits. A stable
    sort of small integers is a radix sort, which puts equal distances in gallery order.

    Args:
        order: (N,) int64, place in the gallery of each column of the rows.
        bits: length of the codes.
    """

    def __init__(self, order: np.ndarray, bits: int) -> None:
        self._inverse = inverse(order)
        self._bits = bits
        self._kind = np.uint8 if bits <= 255 else np.uint16

    def __call__(self, rows: np.ndarray, columns: slice) -> Ranks:
        """See `Counter`."""
        own = rows[:, columns]
        rank = np.empty(own.shape, dtype=np.int32)
        upto = np.empty(own.shape, dtype=np.int32)
        for i, row in enumerate(rows):
            distance = ((self._bits - row) / 2).astype(self._kind)
            rank[i] = in_gallery_order(distance, self._inverse, columns)
            within = np.cumsum(np.bincount(distance, minlength=self._bits + 1))
            upto[i] = within[np.sort(distance[columns])]
        return Ranks(rank, upto, np.count_nonzero(own > 0, axis=1), rows.shape[1])


def _counting(lengths: np.ndarray) -> np.ndarray:
    """0, 1, … within each run: [2, 3] gives [0, 1, 0, 1, 2]."""
    ends = np.cumsum(lengths)
    starts = np.repeat(ends - lengths, lengths)
    places: np.ndarray = np.arange(len(starts)) - starts
    return places
