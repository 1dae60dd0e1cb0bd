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
class _Others:
    """Photos that are not relevant, as far as they have to be compared one by one.

    Attributes:
        below: how many scores lower than all of `ordered` are not in it, for each relevant score.
        ordered: their scores, ascending.
        columns: their columns, in the order of `values`; None: the whole row, relevant ones too.
        values: their scores as they stand in the row.
    """

    below: np.ndarray | int
    ordered: np.ndarray
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
        self._places = np.arange(1, size + 1, dtype=np.int32)

    def __call__(
        self, row: np.ndarray, relevant: np.ndarray, columns: slice, rank: np.ndarray
    ) -> np.ndarray:
        """See `Counter`."""
        others = self._near_others(row, relevant, columns)
        low = others.ordered.searchsorted(relevant)
        size = len(relevant)
        not_above = low + others.below
        np.subtract(len(row) - size, not_above[::-1], out=rank, casting="unsafe")
        rank += self._places[:size]
        tied = relevant[1:][relevant[1:] == relevant[:-1]]
        if len(others.ordered):
            same = others.ordered.take(low, mode="clip") == relevant
            if same.any():
                tied = np.concatenate((tied, relevant[same]))
        if len(tied):
            return self._break_ties(row, relevant, columns, others, np.unique(tied), rank)
        return rank

    def _near_others(self, row: np.ndarray, relevant: np.ndarray, columns: slice) -> _Others:
        """The photos whose scores share a bucket with a relevant one, and counts of the rest."""
        low, high = relevant[0], relevant[-1]
        if low == high:
            return _one_value(row, low, columns)
        kind = row.dtype.type
        last = kind(self._buckets - 1)
        scale = kind((self._buckets - 3) / (high - low))
        shift = kind(1) - low * scale
        if not (np.isfinite(scale) and np.isfinite(shift)):
            rest = np.concatenate((row[: columns.start], row[columns.stop :]))
            rest.sort()
            return _Others(0, rest, None, row)
        scaled, code, flag, near = self._scaled, self._code, self._flag, self._near
        np.multiply(row, scale, out=scaled)
        np.add(scaled, shift, out=scaled)
        np.clip(scaled, kind(0), last, out=scaled)
        np.copyto(self._small, scaled, casting="unsafe")
        np.copyto(code, self._small)
        own = np.clip(relevant * scale + shift, kind(0), last).astype(np.intp)
        histogram = np.bincount(code, minlength=self._buckets)
        histogram[own] = 0
        histogram.cumsum(out=histogram)
        below = histogram.take(own)
        flag[own] = True
        flag.take(code, out=near, mode="clip")
        flag[own] = False
        near[columns] = False
        found = near.nonzero()[0]
        values = row.take(found)
        return _Others(below, np.sort(values), found, values)

    def _break_ties(
        self,
        row: np.ndarray,
        relevant: np.ndarray,
        columns: slice,
        others: _Others,
        tied: np.ndarray,
        rank: np.ndarray,
    ) -> np.ndarray:
        """Put equal scores in gallery order; gives the number of scores at least as high."""
        size = len(relevant)
        upto = rank.copy()
        start = size - relevant.searchsorted(tied, "right")
        own = size - relevant.searchsorted(tied) - start
        equal = others.ordered.searchsorted(tied, "right") - others.ordered.searchsorted(tied)
        # So far relevant photos of one score have consecutive ranks after all others of that score.
        place = np.repeat(start, own) + _counting(own)
        upto[place] = np.repeat(rank[start] + own - 1, own)
        mixed = equal > 0
        if np.count_nonzero(mixed) > _FEW:
            self._order_row(row, columns, rank)
            return upto
        for value, first, count in zip(tied[mixed], start[mixed], own[mixed], strict=True):
            same = np.flatnonzero(others.values == value)
            if others.columns is not None:
                same = others.columns[same]
            rest = np.sort(self._order[same[(same < columns.start) | (same >= columns.stop)]])
            mine = np.sort(self._order[columns][row[columns] == value])
            before = len(rest) - rest.searchsorted(mine)
            rank[first : first + count] -= before.astype(np.int32)
        return upto

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


def _one_value(row: np.ndarray, value: np.ndarray, columns: slice) -> _Others:
    same = row == value
    same[columns] = False
    found = same.nonzero()[0]
    values = row.take(found)
    return _Others(int(np.count_nonzero(row < value)), values, found, values)


def _counting(lengths: np.ndarray) -> np.ndarray:
    """0, 1, … within each run: [2, 3] gives [0, 1, 0, 1, 2]."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
