"""Ranks of the relevant photos in rows of scores, by counting instead of ordering the photos.

Every measure needs only the relevant photos' ranks, and a rank is a count of higher scores, after
which equal scores are put in gallery order. `onepass` does it in compiled code, where numba is
installed and there is enough to count; here is NumPy's way.

NumPy sorts a row at 15 to 20 ns a value on AMD Zen 4, whose AVX-512 is slow at what the sort does:
more than the product the scores came from. So values fall into buckets by a monotone map, one
histogram counts the buckets below each relevant score, and only values that share a bucket with a
relevant one are compared. The map is monotone under rounding, so the counts are exact.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sbirctl.retrieval.ranking_problem import RankingProblem, in_gallery_order, inverse
from sbirctl.retrieval.ranks import Ranks

COMPILED_FROM = 10**8
"""Scores from which compiled code saves more than importing numba and loading it cost, 0.4 s."""
COMPILED_MEMORY = 2 * 10**8
"""Bytes numba takes for itself while it compiles; some 120 MB later."""
_BATCH = 100_000
"""Scores of a call: short rows are counted several at a time, as a NumPy call costs as much as
2,000 scores."""
_FEW = 8


class Counter(Protocol):
    """Finds ranks in rows of scores; one thread uses one counter."""

    def __call__(self, rows: np.ndarray, columns: slice) -> Ranks:
        """Count in rows whose queries are of one class.

        Args:
            rows: (n, N) scores, photos ordered by label.
            columns: where the relevant photos are.
        """


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
                near = self._rank_counter.near(i)
                self._break_ties(some[i], columns, ties, near, rank[start + i], upto[start + i])
        return Ranks(rank, upto, np.count_nonzero(relevant > 0, axis=1), rows.shape[1])

    def _break_ties(
        self,
        row: np.ndarray,
        columns: slice,
        ties: _Ties,
        near: tuple[np.ndarray, np.ndarray],
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
        relevant, own_order = row[columns], self._order[columns]
        other, other_score = near
        parts = (ties.score[mixed], ties.first[mixed], ties.own[mixed])
        for score, start, count in zip(*parts, strict=True):
            rest = np.sort(self._order[other[other_score == score]])
            mine = np.sort(own_order[relevant == score])
            before = len(rest) - rest.searchsorted(mine)
            rank[start : start + count] -= before.astype(np.int32)


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
        """Ties of the (R,) marked relevant scores of one row that `below` has counted."""
        found = relevant[tied]  # ascending
        score = found[np.append(True, found[1:] != found[:-1])]
        high = relevant.searchsorted(score, "right")
        own = high - relevant.searchsorted(score)
        return cls(score, len(relevant) - high, own, below.equal(row, score, own))


class RankCounter:
    """Counts in rows of scores; one thread uses one.

    Args:
        size: scores of a row.
        dtype: of the scores.

    Attributes:
        batch: most rows of a call.
    """

    def __init__(self, size: int, dtype: np.dtype) -> None:
        self._size = size
        self._buckets = 1 << int(np.clip(np.ceil(np.log2(max(size, 2))), 8, 16))
        self.batch = int(np.clip(_BATCH // size, 1, 64))
        shape = (self.batch, size)
        self._scaled = np.empty(shape, dtype=dtype)
        self._small = np.empty(shape, dtype=np.int32)
        self._code = np.empty(shape, dtype=np.intp)
        self._near = np.empty(shape, dtype=bool)
        self._flag = np.zeros(self.batch * self._buckets, dtype=bool)
        self._offset = (np.arange(self.batch) * self._buckets)[:, None]
        self._place = np.empty(0, dtype=np.intp)
        self._near_scores = self._found = np.empty(0, dtype=dtype)
        self._cuts = np.zeros(1, dtype=np.intp)

    def __call__(
        self, rows: np.ndarray, relevant: np.ndarray, columns: slice
    ) -> tuple[np.ndarray, np.ndarray]:
        """Count.

        Args:
            rows: (n, N) scores, n at most `batch`.
            relevant: (n, R) the scores `rows[:, columns]`, ascending.
            columns: where the relevant photos are.

        Returns:
            (n, R) int64: photos that are not relevant and have a lower score; and (n, R) bool,
            marking every relevant score but one of those that several photos have.
        """
        low, high = relevant[:, :1], relevant[:, -1:]
        if (low == high).any():  # one relevant photo: spread the buckets over the row instead
            low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
            high = np.where(low == high, low + 1, high)
        scale = (self._buckets - 3) / (high - low)
        shift = 1 - low * scale
        if all(np.isfinite(found).all() for found in (high - low, scale, shift)):
            lower, place, cuts = self._bucketed(rows, relevant, columns, scale, shift)
        else:
            lower, place = np.zeros(relevant.shape, dtype=np.intp), np.arange(rows.size)
            place = np.delete(place.reshape(rows.shape), columns, axis=1)
            cuts = np.arange(len(rows) + 1) * place.shape[1]
            place = place.ravel()
        self._place, self._cuts = place, cuts
        self._near_scores = rows.ravel().take(place)
        near = self._found = self._near_scores.copy()
        inside = np.empty_like(lower)
        for i, own in enumerate(relevant):
            others = near[cuts[i] : cuts[i + 1]]
            others.sort()
            inside[i] = others.searchsorted(own)
        lower += inside
        tied = np.zeros(relevant.shape, dtype=bool)
        np.equal(relevant[:, 1:], relevant[:, :-1], out=tied[:, 1:])
        if len(near):
            inside += cuts[:-1, None]
            # where a row's others end this looks at the next row's: a needless look at most
            tied |= near.take(inside, mode="clip") == relevant
        return lower, tied

    def near(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Photos that are not relevant and may have the score of a relevant one.

        Args:
            row: of the last call.

        Returns:
            (m,) columns and (m,) scores.
        """
        part = slice(self._cuts[row], self._cuts[row + 1])
        return self._place[part] - row * self._size, self._near_scores[part]

    def equal(self, row: int, score: np.ndarray, own: np.ndarray) -> np.ndarray:
        """How many photos that are not relevant have the score of relevant ones.

        Args:
            row: of the last call.
            score: (m,) scores of relevant photos.
            own: (m,) how many relevant photos have each.

        Returns:
            (m,) int64.
        """
        others = self._found[self._cuts[row] : self._cuts[row + 1]]
        return others.searchsorted(score, "right") - others.searchsorted(score)

    def _bucketed(
        self,
        rows: np.ndarray,
        relevant: np.ndarray,
        columns: slice,
        scale: np.ndarray,
        shift: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Counts from the histogram, and places of scores it cannot tell from a relevant one."""
        n, size = rows.shape
        kind = rows.dtype.type
        first, last = kind(0), kind(self._buckets - 1)
        scaled, code, near = self._scaled[:n], self._code[:n], self._near[:n]
        np.multiply(rows, scale, out=scaled)
        np.add(scaled, shift, out=scaled)
        np.clip(scaled, first, last, out=scaled)
        np.copyto(self._small[:n], scaled, casting="unsafe")
        np.add(self._small[:n], self._offset[:n], out=code)
        own = np.clip(relevant * scale + shift, first, last).astype(np.intp)
        own += self._offset[:n]
        histogram = np.bincount(code.ravel(), minlength=n * self._buckets)
        histogram[own] = 0
        by_row = histogram.reshape(n, self._buckets)
        np.cumsum(by_row, axis=1, out=by_row)
        self._flag[own] = True
        self._flag.take(code, out=near, mode="clip")
        self._flag[own] = False
        near[:, columns] = False
        found = near.ravel().nonzero()[0]
        cuts = found.searchsorted(np.arange(n + 1) * size)
        return histogram.take(own), found, cuts


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
