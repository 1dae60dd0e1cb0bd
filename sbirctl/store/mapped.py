"""An array that lies in one piece in a file, mapped into memory but never all of it for long."""

from __future__ import annotations

import math
import mmap
from pathlib import Path

import numpy as np

# Pages once read count as this process's memory until they are given up: after an epoch, the store.
_WINDOW = 128 << 20


class Mapped:
    """Rows of an array in a file, read by several threads at once.

    Args:
        path: the file.
        shape, kind: of the array, at least one row.
        offset: where it begins, bytes.
    """

    def __init__(
        self, path: Path, shape: tuple[int, ...], kind: np.dtype[np.generic], offset: int
    ) -> None:
        with open(path, "rb") as stream:
            self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        flat = np.frombuffer(self._map, kind, math.prod(shape), offset)
        self._array = flat.reshape(shape)
        self._read = 0

    def __len__(self) -> int:
        return len(self._array)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Copies of some rows, (len(rows), …).

        Args:
            rows: int64 positions, all of them there.
        """
        found = self._array[rows]
        self._read += found.nbytes
        if self._read > _WINDOW and hasattr(mmap, "MADV_DONTNEED"):
            self._read = 0
            # The system's cache keeps the file's pages; a thread that reads meets them again.
            self._map.madvise(mmap.MADV_DONTNEED)
        return found
