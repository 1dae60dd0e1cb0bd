"""How many scores of a row lie below each relevant one, with NumPy and without sorting the row.

NumPy sorts a row at 15 to 20 ns a value on AMD Zen 4, whose AVX-512 is slow at what the sort does:
more than the product the scores came from. So values fall into buckets by a monotone map, one
histogram counts the buckets below each relevant score, and only values that share a bucket with a
relevant one are compared. The map is monotone under rounding, so the counts are exact.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from sbirctl.retrieval.metrics import Ranks

_BATCH = 100_000
"""Scores of a call: short rows are counted several at a time, as a NumPy call costs as much as
2,000 scores."""


class RankCounter:
    """Counts in rows of scores; one thread uses one.

    Args:
        size: scores of a row.
        dtype: of the scores.

    Attributes:
        batch: most rows of a call.
    """

    def __init__(self, size: int, dtype: np.dtype) -> None:
        self._buckets = 1 << int(np.clip(np.ceil(np.log2(max(size, 2))), 8, 16))
        self.batch = int(np.clip(_BATCH // size, 1, 64))
        shape = (self.batch, size)
        self._scaled = np.empty(shape, dtype=dtype)
        self._small = np.empty(shape, dtype=np.int32)
        self._code = np.empty(shape, dtype=np.intp)
        self._near = np.empty(shape, dtype=bool)
        self._flag = np.zeros(self.batch * self._buckets, dtype=bool)
        self._offset = (np.arange(self.batch) * self._buckets)[:, None]
        self._found = np.empty(0, dtype=dtype)
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
            lower, near, cuts = self._bucketed(rows, relevant, columns, scale, shift)
        else:
            rest = np.delete(rows, columns, axis=1)
            lower, near = np.zeros(relevant.shape, dtype=np.intp), rest.ravel()
            cuts = np.arange(len(rows) + 1) * rest.shape[1]
        self._found, self._cuts = near, cuts
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


class Counter(Protocol):
    """Finds ranks in rows of scores; one thread uses one counter."""

    def __call__(self, rows: np.ndarray, columns: slice) -> Ranks:
        """Count in rows whose queries are of one class.

        Args:
            rows: (n, N) scores, photos ordered by label.
            columns: where the relevant photos are.
        """


def inverse(order: np.ndarray) -> np.ndarray:
    """(N,) int64: the column of each place in the gallery."""
    columns = np.empty(len(order), dtype=np.intp)
    columns[order] = np.arange(len(order))
    return columns


def in_gallery_order(distance: np.ndarray, inverse: np.ndarray, columns: slice) -> np.ndarray:
    """(R,) int64: ranks of the photos `columns` by a stable sort of a row's (N,) distances."""
    ordered = inverse.take(np.argsort(distance.take(inverse), kind="stable"))
    wanted = (ordered >= columns.start) & (ordered < columns.stop)
    return np.flatnonzero(wanted) + 1
