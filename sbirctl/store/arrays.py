"""Arrays of a store's HDF5 files, mapped into memory but never all of them for long."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import announce_reading, display_path, refuse_shortage

# What a damaged HDF5 file makes h5py and NumPy raise.
DAMAGE = (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError)
# Pages once read count as this process's memory until they are given up: after an epoch, the store.
_WINDOW = 128 << 20

Rows = Sequence[int] | np.ndarray


class StoredArray:
    """An array of a store's file, read by several threads at once.

    The file is opened by the process that reads, never before a fork, and does not cross a pickle.

    Args:
        path: the file.
        name: of the array in it.
        shape: of the array, its rows first.
        kind: its type.
        digest: of the store that the file must belong to.
        hint: what to do about a damaged file.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        shape: tuple[int, ...],
        kind: type[np.generic],
        digest: str,
        hint: str,
    ) -> None:
        self.path, self.name, self.shape, self.kind = path, name, shape, np.dtype(kind)
        self.digest, self.hint = digest, hint
        self._mapped: Mapped | None = None
        self._process = 0

    def read(self, rows: Rows) -> np.ndarray:
        """Copies of some rows, (len(rows), …), in the order asked for; rows may repeat.

        Raises:
            IndexError: there is no such row.
            CorruptError: the file is damaged or belongs to another manifest.
        """
        wanted = np.asarray(rows, dtype=np.int64).reshape(-1)
        count = self.shape[0]
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < count:
            raise IndexError(f"rows {wanted.min()} to {wanted.max()} of {count} {self.name} rows")
        if not count:
            return np.empty(self.shape, dtype=self.kind)
        return self._rows().take(wanted)

    def open(self) -> None:
        """Open the file now, where a process is about to read it from several threads.

        Raises:
            CorruptError: it is damaged or belongs to another manifest.
        """
        if self.shape[0]:
            self._rows()

    def _rows(self) -> Mapped:
        if self._mapped is None or self._process != os.getpid():
            self._mapped, self._process = self._map(), os.getpid()
        return self._mapped

    def _map(self) -> Mapped:
        """The array, mapped into memory from where h5py says it begins."""
        import h5py

        announce_reading(self.path)
        try:
            with h5py.File(self.path, "r") as file:
                dataset, digest = file[self.name], file.attrs["digest"].decode()
                shape, kind, offset = dataset.shape, dataset.dtype, dataset.id.get_offset()
            if digest != self.digest:
                raise CorruptError(
                    f"{display_path(self.path)} belongs to another manifest.",
                    "It was prepared anew meanwhile: start again.",
                )
            if shape != self.shape or kind != self.kind:
                raise ValueError(f"{self.name} is {shape} {kind}, not {self.shape} {self.kind}")
            if offset is None:
                raise ValueError(f"{self.name} does not lie in one piece")
            return Mapped(self.path, shape, kind, offset)
        except DAMAGE as error:
            refuse_shortage(error)
            raise CorruptError(
                f"{display_path(self.path)} cannot be read: {error}.", self.hint
            ) from error

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_mapped": None, "_process": 0}


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

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Copies of some rows, (len(rows), …).

        Args:
            rows: int64 positions, all of them there.
        """
        found: np.ndarray = self._array[rows]
        self._read += found.nbytes
        if self._read > _WINDOW and hasattr(mmap, "MADV_DONTNEED"):
            self._read = 0
            # The system's cache keeps the file's pages; a thread that reads meets them again.
            self._map.madvise(mmap.MADV_DONTNEED)
        return found
