"""Ranks of the relevant photos in rows of scores, by counting instead of sorting the rows.

A sort of all N scores costs more than their product (NumPy's costs 15 to 20 ns a value on an AMD
Zen 4). Only the relevant photos' ranks are needed: values fall into buckets by a monotone map, one
histogram counts the buckets below each relevant photo, and only values that share a bucket with a
relevant one are compared exactly. The map is monotone under rounding, so the counts are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

_FEW = 8
_BATCH = 100_000


class Counter(Protocol):
    """Finds ranks in rows of scores; one thread uses one counter."""

    def __call__(
        self, rows: np.ndarray, relevant: np.ndarray, columns: slice
    ) -> tuple[np.ndarray, np.ndarray]:
        """Count in rows whose queries are of one class.

        Args:
            rows: (n, N) scores, photos ordered by label.
            relevant: (n, R) the scores `rows[:, columns]`, ascending.
            columns: where the relevant photos are.

        Returns:
            (n, R) int32 ascending ranks, equal scores in gallery order; and (n, R) int32: photos
            with a score at least as high, best relevant photo first.
        """


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
    def find(cls, relevant: np.ndarray, tied: np.ndarray, others: np.ndarray) -> _Ties:
        """Ties among the (R,) marked relevant scores and the sorted scores of others."""
        score = np.unique(relevant[tied])
        high = relevant.searchsorted(score, "right")
        equal = others.searchsorted(score, "right") - others.searchsorted(score)
        return cls(score, len(relevant) - high, high - relevant.searchsorted(score), equal)


class FloatCounter:
    """Counter for real-valued scores.

    Args:
        order: (N,) int64, place in the gallery of each column of the rows.
        dtype: float32 or float64, of the rows.
    """

    def __init__(self, order: np.ndarray, dtype: np.dtype) -> None:
        size = len(order)
        self._inverse = np.empty(size, dtype=np.intp)
        self._inverse[order] = np.arange(size)
        self._order = order
        self._buckets = 1 << int(np.clip(np.ceil(np.log2(max(size, 2))), 8, 16))
        # Short rows are counted several at a time: a NumPy call costs as much as 2,000 values.
        self._batch = int(np.clip(_BATCH // size, 1, 64))
        shape = (self._batch, size)
        self._scaled = np.empty(shape, dtype=dtype)
        self._small = np.empty(shape, dtype=np.int32)
        self._code = np.empty(shape, dtype=np.intp)
        self._near = np.empty(shape, dtype=bool)
        self._flag = np.zeros(self._batch * self._buckets, dtype=bool)
        self._offset = (np.arange(self._batch) * self._buckets)[:, None]
        self._places = np.arange(1, size + 1, dtype=np.int32)

    def __call__(
        self, rows: np.ndarray, relevant: np.ndarray, columns: slice
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `Counter`."""
        size = relevant.shape[1]
        rank = np.empty(relevant.shape, dtype=np.int32)
        upto = np.empty(relevant.shape, dtype=np.int32)
        for start in range(0, len(rows), self._batch):
            part = slice(start, start + self._batch)
            some, own = rows[part], relevant[part]
            lower, near, cuts, tied = self._lower(some, own, columns)
            # as if all other photos of a score stood before the relevant ones
            rank[part] = (rows.shape[1] - size - lower)[:, ::-1]
            rank[part] += self._places[:size]
            upto[part] = rank[part]
            for i in np.flatnonzero(tied.any(axis=1)):
                others = near[cuts[i] : cuts[i + 1]]
                ties = _Ties.find(own[i], tied[i], others)
                self._break_ties(some[i], columns, ties, rank[start + i], upto[start + i])
        return rank, upto

    def _lower(
        self, rows: np.ndarray, relevant: np.ndarray, columns: slice
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """How many photos that are not relevant have a lower score than each relevant one.

        Returns:
            (n, R) that number; scores of others near a relevant one, sorted within each row; where
            each row's begin, (n + 1,); (n, R) bool, relevant scores that another photo has too.
        """
        low, high = relevant[:, :1], relevant[:, -1:]
        if (low == high).any():  # one relevant photo: spread the buckets over the row instead
            low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
            high = np.where(low == high, low + 1, high)
        scale = (self._buckets - 3) / (high - low)
        shift = 1 - low * scale
        if np.isfinite(scale).all() and np.isfinite(shift).all():
            lower, near, cuts = self._bucketed(rows, relevant, columns, scale, shift)
        else:
            rest = np.delete(rows, columns, axis=1)
            lower, near = np.zeros(relevant.shape, dtype=np.intp), rest.ravel()
            cuts = np.arange(len(rows) + 1) * rest.shape[1]
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
        return lower, near, cuts, tied

    def _bucketed(
        self,
        rows: np.ndarray,
        relevant: np.ndarray,
        columns: slice,
        scale: np.ndarray,
        shift: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Counts from the histogram, and the scores it cannot tell from a relevant one."""
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
        return histogram.take(own), rows.ravel().take(found), cuts

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
            self._order_row(row, columns, rank)
            return
        parts = (ties.score[mixed], ties.first[mixed], ties.own[mixed])
        for score, start, count in zip(*parts, strict=True):
            same = np.flatnonzero(row == score)
            relevant_ones = (same >= columns.start) & (same < columns.stop)
            rest = np.sort(self._order[same[~relevant_ones]])
            mine = np.sort(self._order[same[relevant_ones]])
            before = len(rest) - rest.searchsorted(mine)
            rank[start : start + count] -= before.astype(np.int32)

    def _order_row(self, row: np.ndarray, columns: slice, rank: np.ndarray) -> None:
        in_gallery_order = row.take(self._inverse)
        ordered = self._inverse[np.argsort(-in_gallery_order, kind="stable")]
        wanted = (ordered >= columns.start) & (ordered < columns.stop)
        rank[:] = np.flatnonzero(wanted) + 1


class CodeCounter:
    """Counter for Hamming ranking, where nearly every score is tied.

    The scores are the products of codes of +1 and -1: whole numbers from -bits to bits. A stable
    sort of small integers is a radix sort, which puts equal distances in gallery order.

    Args:
        order: (N,) int64, place in the gallery of each column of the rows.
        bits: length of the codes.
    """

    def __init__(self, order: np.ndarray, bits: int) -> None:
        self._inverse = np.empty(len(order), dtype=np.intp)
        self._inverse[order] = np.arange(len(order))
        self._bits = bits
        self._kind = np.uint8 if bits <= 255 else np.uint16

    def __call__(
        self, rows: np.ndarray, relevant: np.ndarray, columns: slice
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `Counter`."""
        rank = np.empty(relevant.shape, dtype=np.int32)
        upto = np.empty(relevant.shape, dtype=np.int32)
        for i, row in enumerate(rows):
            distance = ((self._bits - row) / 2).astype(self._kind)
            column = self._inverse.take(np.argsort(distance.take(self._inverse), kind="stable"))
            wanted = (column >= columns.start) & (column < columns.stop)
            rank[i] = np.flatnonzero(wanted) + 1
            within = np.cumsum(np.bincount(distance, minlength=self._bits + 1))
            upto[i] = within[((self._bits - relevant[i, ::-1]) / 2).astype(np.intp)]
        return rank, upto


def _counting(lengths: np.ndarray) -> np.ndarray:
    """0, 1, … within each run: [2, 3] gives [0, 1, 0, 1, 2]."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
