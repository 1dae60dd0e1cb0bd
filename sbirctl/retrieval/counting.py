"""Ranks of the relevant photos in one row of scores, by counting instead of sorting the row.

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


class Counter(Protocol):
    """Finds ranks in rows of scores; one thread uses one counter."""

    def __call__(
        self, row: np.ndarray, relevant: np.ndarray, columns: slice, rank: np.ndarray
    ) -> np.ndarray:
        """Count one row.

        Args:
            row: (N,) scores, photos ordered by label.
            relevant: (R,) the scores of `row[columns]`, ascending.
            columns: where the relevant photos are.
            rank: (R,) int32, filled with ascending ranks, equal scores in gallery order.

        Returns:
            (R,) int32: photos with a score at least as high, best relevant photo first.
        """


@dataclass(frozen=True)
class _Ties:
    """Scores that several photos share, one of them relevant at least.

    Attributes:
        score: (m,) the scores.
        low, high: (m,) the relevant scores low:high are equal (places in ascending order).
        equal: (m,) how many photos share the score.
        columns: columns of the row among which the tied ones are, None for all.
        values: the scores of those columns.
    """

    score: np.ndarray
    low: np.ndarray
    high: np.ndarray
    equal: np.ndarray
    columns: np.ndarray | None
    values: np.ndarray


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
        self._scaled = np.empty(size, dtype=dtype)
        self._small = np.empty(size, dtype=np.int32)
        self._code = np.empty(size, dtype=np.intp)
        self._flag = np.zeros(self._buckets, dtype=bool)
        self._near = np.empty(size, dtype=bool)

    def __call__(
        self, row: np.ndarray, relevant: np.ndarray, columns: slice, rank: np.ndarray
    ) -> np.ndarray:
        """See `Counter`."""
        if len(relevant) <= _FEW:
            below, ties = _compare(row, relevant)
        else:
            below, ties = self._count(row, relevant)
        upto = (len(row) - below[::-1]).astype(np.int32)
        rank[:] = upto
        if ties is not None:
            self._break_ties(row, ties, columns, upto, rank)
        return upto

    def _count(self, row: np.ndarray, relevant: np.ndarray) -> tuple[np.ndarray, _Ties | None]:
        """(R,) number of scores below each relevant one, and the ties."""
        low, high = relevant[0], relevant[-1]
        kind = row.dtype.type
        first, last = kind(0), kind(self._buckets - 1)
        scale = kind((self._buckets - 3) / max(high - low, np.finfo(kind).tiny))
        shift = kind(1) - low * scale
        if not (np.isfinite(scale) and np.isfinite(shift)):
            return _search(np.sort(row), relevant, None, row)
        scaled = self._scaled
        np.multiply(row, scale, out=scaled)
        np.add(scaled, shift, out=scaled)
        np.clip(scaled, first, last, out=scaled)
        np.copyto(self._small, scaled, casting="unsafe")
        np.copyto(self._code, self._small)
        own = np.clip(relevant * scale + shift, first, last).astype(np.intp)
        histogram = np.bincount(self._code, minlength=self._buckets)
        histogram[own] = 0
        starts = np.empty(len(own) + 1, dtype=np.intp)
        starts[0], starts[1:] = 0, own
        # A start that repeats gives its own (emptied) bucket: 0, which is what is wanted.
        below = np.cumsum(np.add.reduceat(histogram, starts)[:-1])
        self._flag[own] = True
        self._flag.take(self._code, out=self._near, mode="clip")
        self._flag[own] = False
        columns = self._near.nonzero()[0]
        near = row.take(columns)
        inside, ties = _search(np.sort(near), relevant, columns, near)
        below += inside
        return below, ties

    def _break_ties(
        self, row: np.ndarray, ties: _Ties, columns: slice, upto: np.ndarray, rank: np.ndarray
    ) -> None:
        """Put equal scores in gallery order; only photos tied with a relevant one are looked at."""
        start, own = len(upto) - ties.high, ties.high - ties.low
        mixed = ties.equal > own
        if np.count_nonzero(mixed) > _FEW:
            self._order_row(row, columns, rank)
            return
        alone = np.repeat(start, own) + _counting(own)
        rank[alone] = upto[alone] - np.repeat(ties.equal, own) + 1 + _counting(own)
        for value, first, count in zip(ties.score[mixed], start[mixed], own[mixed], strict=True):
            tied = np.flatnonzero(ties.values == value)
            if ties.columns is not None:
                tied = ties.columns[tied]
            places = np.sort(self._order[tied])
            mine = tied[(tied >= columns.start) & (tied < columns.stop)]
            among = np.searchsorted(places, np.sort(self._order[mine]))
            rank[first : first + count] = upto[first] - len(tied) + 1 + among

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
        self, row: np.ndarray, relevant: np.ndarray, columns: slice, rank: np.ndarray
    ) -> np.ndarray:
        """See `Counter`."""
        distance = ((self._bits - row) / 2).astype(self._kind)
        order = np.argsort(distance.take(self._inverse), kind="stable")
        column = self._inverse.take(order)
        wanted = (column >= columns.start) & (column < columns.stop)
        rank[:] = np.flatnonzero(wanted) + 1
        upto = np.cumsum(np.bincount(distance, minlength=self._bits + 1))
        own = ((self._bits - relevant[::-1]) / 2).astype(np.intp)
        return upto[own].astype(np.int32)


def _counting(lengths: np.ndarray) -> np.ndarray:
    """0, 1, … within each run: [2, 3] gives [0, 1, 0, 1, 2]."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)


def _compare(row: np.ndarray, relevant: np.ndarray) -> tuple[np.ndarray, _Ties | None]:
    """Count against a few scores directly."""
    below = np.array([np.count_nonzero(row < value) for value in relevant], dtype=np.intp)
    values = np.unique(relevant)
    equal = np.array([np.count_nonzero(row == value) for value in values], dtype=np.intp)
    return below, _ties(relevant, values[equal > 1], equal[equal > 1], None, row)


def _search(
    ordered: np.ndarray, relevant: np.ndarray, columns: np.ndarray | None, values: np.ndarray
) -> tuple[np.ndarray, _Ties | None]:
    """Count in sorted scores; `columns` and `values` are the same scores as they stand."""
    below = ordered.searchsorted(relevant)
    repeats = (ordered[1:] == ordered[:-1]).nonzero()[0]
    if not len(repeats):
        return below, None
    tied = np.unique(ordered[repeats])
    equal = ordered.searchsorted(tied, "right") - ordered.searchsorted(tied)
    return below, _ties(relevant, tied, equal, columns, values)


def _ties(
    relevant: np.ndarray,
    tied: np.ndarray,
    equal: np.ndarray,
    columns: np.ndarray | None,
    values: np.ndarray,
) -> _Ties | None:
    low, high = relevant.searchsorted(tied), relevant.searchsorted(tied, "right")
    ours = high > low
    if not ours.any():
        return None
    return _Ties(tied[ours], low[ours], high[ours], equal[ours], columns, values)
