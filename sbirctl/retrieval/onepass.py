"""Ranks counted in one compiled pass over the scores; needs numba, gives what NumPy's way gives.

Scores map onto buckets between the lowest and the highest relevant score, by a map that is monotone
under rounding. A table says how many relevant scores lie in the buckets before each one, so a score
is compared with the next relevant one; only where its bucket holds several, its place is searched
for. One counter is then raised. All rows of a call are counted without Python, so threads do not
wait for one another.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sbirctl.retrieval.ranking_problem import in_gallery_order, inverse
from sbirctl.retrieval.ranks import Ranks

_PIECE = 512  # scores whose buckets are computed together, with vector instructions
_TIES = 256  # other photos of a row with a relevant photo's score; with more the row is sorted
_MOST_BUCKETS = 1 << 16


class OnePassCounter:
    """`rank_counting.Counter` for real-valued scores.

    Compiling takes seconds, once for each installation and float type: numba keeps the result in
    `__pycache__` beside this file or, where that is read-only, in the user's cache folder.

    Args:
        order: (N,) int64, place in the gallery of each column of the rows.

    Raises:
        RuntimeError: numba finds no folder that it can keep the compiled code in.
    """

    def __init__(self, order: np.ndarray) -> None:
        self._inverse = inverse(order)
        self._place = order.astype(np.int32)
        self._first = np.empty(_MOST_BUCKETS + 1, dtype=np.uint32)

    def __call__(self, rows: np.ndarray, columns: slice) -> Ranks:
        """See `rank_counting.Counter`."""
        relevant = np.sort(rows[:, columns], axis=1)
        R = relevant.shape[1]
        buckets = min(_MOST_BUCKETS, max(256, 1 << (4 * R - 1).bit_length()))
        rank = np.empty(relevant.shape, dtype=np.int32)
        upto = np.empty(relevant.shape, dtype=np.int32)
        crowded = np.zeros(len(rows), dtype=np.bool_)
        start, stop = columns.start, columns.stop
        first = self._first[: buckets + 1]
        _count(rows, relevant, start, stop, self._place, first, rank, upto, crowded)
        for i in np.flatnonzero(crowded).tolist():
            rank[i] = in_gallery_order(-rows[i], self._inverse, columns)
        positive = np.count_nonzero(relevant > 0, axis=1)
        return Ranks(rank, upto, positive, rows.shape[1])


@njit(nogil=True, cache=True, error_model="numpy")
def _count(
    rows: np.ndarray,
    relevant: np.ndarray,
    start: int,
    stop: int,
    place: np.ndarray,
    first: np.ndarray,
    rank: np.ndarray,
    upto: np.ndarray,
    crowded: np.ndarray,
) -> None:
    """Fill `rank` and `upto` (n, R), and `crowded` (n,): the rows whose equal scores are too many.

    Args:
        relevant: (n, R) the scores `rows[:, start:stop]`, ascending.
        first: (buckets + 1,) uint32, for the table.
    """
    R = relevant.shape[1]
    sorted_own = np.full(R + 2, np.nan, rows.dtype)  # ends in two that no score reaches
    number = np.empty(R + 1, np.int32)
    near = np.empty(_PIECE, np.uint32)
    bucket = np.empty(_PIECE, np.uint32)
    tied_column = np.empty(_TIES, np.uint32)
    tied_after = np.empty(_TIES, np.uint32)
    for i in range(len(rows)):
        row = rows[i]
        sorted_own[:R] = relevant[i]
        scale, shift = _table(sorted_own, first)
        number[:] = 0
        ties = 0
        for side in range(2):
            begin, end = (0, start) if side == 0 else (stop, len(row))
            for offset in range(begin, end, _PIECE):
                piece = row[offset : min(offset + _PIECE, end)]
                found = _tally(piece, scale, shift, sorted_own, first, number, bucket, near)
                for t in range(found):
                    score = piece[near[t]]
                    after = _search(score, bucket[near[t]], sorted_own, first, number)
                    if sorted_own[after - np.uint32(1)] == score:
                        if ties < _TIES:
                            tied_column[ties] = offset + near[t]
                            tied_after[ties] = after
                        ties += 1
        _ranks(sorted_own, number, rank[i], upto[i])
        crowded[i] = ties > _TIES
        for t in range(min(ties, _TIES)):
            column = tied_column[t]
            before = _earlier(row, start, stop, place, row[column], place[column])
            best = R - np.int64(tied_after[t])
            for j in range(best, best + before):
                rank[i, j] -= 1


@njit(nogil=True, cache=True, error_model="numpy")
def _table(sorted_own: np.ndarray, first: np.ndarray) -> tuple[float, float]:
    """Scale and shift of the map; `first[b]` becomes the relevant scores in buckets before b."""
    kind = sorted_own.dtype.type
    R = len(sorted_own) - 2
    low, high = sorted_own[0], sorted_own[R - 1]
    scale = kind(len(first) - 4) / (high - low)
    shift = kind(1) - low * scale
    if not (np.isfinite(high - low) and np.isfinite(scale) and np.isfinite(shift)):
        scale, shift = kind(0), kind(0)  # one bucket: every place is searched for
    top = kind(len(first) - 2)
    filled = np.uint32(0)
    for j in range(R):
        own = _bucket(sorted_own[j], scale, shift, kind(0), top)
        while filled <= own:
            first[filled] = j
            filled += np.uint32(1)
    first[filled:] = R
    return scale, shift


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _bucket(score: float, scale: float, shift: float, zero: float, top: float) -> np.uint32:
    x = score * scale + shift
    x = x if x > zero else zero
    x = x if x < top else top
    return np.uint32(np.int32(x))


@njit(nogil=True, cache=True, error_model="numpy")
def _tally(
    piece: np.ndarray,
    scale: float,
    shift: float,
    sorted_own: np.ndarray,
    first: np.ndarray,
    number: np.ndarray,
    bucket: np.ndarray,
    near: np.ndarray,
) -> np.uint32:
    """Raise `number[k]` for every score with k relevant ones at most as high.

    Returns:
        How many scores were only compared with one relevant score and must be searched for, or
        equal one; their places in the piece are in `near`, their buckets in `bucket`.
    """
    kind = sorted_own.dtype.type
    zero, top = kind(0), kind(len(first) - 2)
    for j in range(len(piece)):
        bucket[j] = _bucket(piece[j], scale, shift, zero, top)
    found = np.uint32(0)
    for j in range(len(piece)):
        score = piece[j]
        k = first[bucket[j]]
        own, next_own = sorted_own[k], sorted_own[k + np.uint32(1)]
        k += np.uint32(score >= own)
        number[k] += 1
        near[found] = j
        found += np.uint32((score == own) | (score >= next_own))
    return found


@njit(nogil=True, cache=True, error_model="numpy")
def _search(
    score: float, bucket: int, sorted_own: np.ndarray, first: np.ndarray, number: np.ndarray
) -> np.uint32:
    """Move one score of `number` to where it belongs: relevant scores at most as high."""
    low = first[bucket] + np.uint32(1)
    high = first[bucket + np.uint32(1)]
    number[low] -= 1
    while low < high:
        middle = (low + high) >> np.uint32(1)
        if sorted_own[middle] <= score:
            low = middle + np.uint32(1)
        else:
            high = middle
    number[low] += 1
    return low  # type: ignore[no-any-return]


@njit(nogil=True, cache=True, error_model="numpy")
def _ranks(sorted_own: np.ndarray, number: np.ndarray, rank: np.ndarray, upto: np.ndarray) -> None:
    """Ranks as if all other photos of a score stood before the relevant ones; `Ranks.upto`."""
    R = len(rank)
    same = 0
    for k in range(R):
        if sorted_own[k] != sorted_own[same]:
            same = k
        upto[R - 1 - k] = R - same
    above = 0
    for i in range(R):
        above += number[R - i]
        rank[i] = above + i + 1
        upto[i] += above


@njit(nogil=True, cache=True, error_model="numpy")
def _earlier(
    row: np.ndarray, start: int, stop: int, place: np.ndarray, score: float, limit: int
) -> np.int32:
    """Relevant photos of a score that stand before a place in the gallery."""
    count = np.int32(0)
    for j in range(start, stop):
        count += np.int32((row[j] == score) & (place[j] < limit))
    return count
