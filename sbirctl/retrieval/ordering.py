"""What a counter of ranks promises, and how equal scores are put in gallery order."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from sbirctl.retrieval.metrics import Ranks


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
