"""`images.h5`: its arrays, and writing their rows from several processes at once."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from io import FileIO
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import announce_reading, atomic_path, digest_bytes, display_path
from sbirctl.store.arrays import DAMAGE
from sbirctl.store.manifest import MODALITIES, Modality

SCHEMA = 2  # of all files of a store
_COPY_BYTES = 1 << 20  # stays in a processor's cache


@dataclass(frozen=True)
class PixelFile:
    """An HDF5 file with an array of pixels for each modality.

    h5py makes the whole file at once, with every array allocated in one piece. From then on HDF5's
    own records do not change: rows are written to where HDF5 says they lie, by any process.

    Attributes:
        path: the file.
        rows: of each modality's array.
        size: side of the images in pixels.
        offsets: where each modality's array begins, in bytes.
    """

    path: Path
    rows: dict[Modality, int]
    size: int
    offsets: dict[Modality, int]

    @classmethod
    def create(cls, path: Path, rows: dict[Modality, int], size: int) -> PixelFile:
        """Make the file with arrays of that many rows; what is in them is undefined."""
        import h5py
        from h5py import h5d, h5p

        place = h5p.create(h5p.DATASET_CREATE)
        place.set_alloc_time(h5d.ALLOC_TIME_EARLY)
        place.set_fill_time(h5d.FILL_TIME_NEVER)
        place.set_obj_track_times(False)
        offsets: dict[Modality, int] = {}
        with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
            file.attrs.update({"schema": SCHEMA, "digest": np.bytes_(digest_bytes(b""))})
            for modality in MODALITIES:
                count = rows[modality]
                shape = shape_of(modality, count, size)
                array = file.create_dataset(modality, shape, np.uint8, dcpl=place)
                file.create_dataset(checksum_name(modality), (count,), np.uint32, dcpl=place)
                offsets[modality] = array.id.get_offset() or 0
            file.flush()
        return cls(path, rows, size, offsets)

    @classmethod
    def open(cls, path: Path, rows: dict[Modality, int], size: int) -> PixelFile | None:
        """A file that was created with the same arguments; None where there is no such file."""
        import h5py

        offsets: dict[Modality, int] = {}
        announce_reading(path)
        try:
            with h5py.File(path, "r") as file:
                for modality in MODALITIES:
                    array, sums = file[modality], file[checksum_name(modality)]
                    shapes = shape_of(modality, rows[modality], size), (rows[modality],)
                    if (array.shape, sums.shape) != shapes or array.chunks or sums.chunks:
                        return None
                    offsets[modality] = array.id.get_offset() or 0
        except DAMAGE:
            return None
        return cls(path, rows, size, offsets)

    def write(self, stream: IO[bytes], modality: Modality, row: int, pixels: np.ndarray) -> None:
        """Write one row.

        Args:
            stream: the file, opened for writing without a buffer.
            modality: which array.
            row: which of its rows.
            pixels: (size, size, C) uint8, contiguous.
        """
        stream.seek(self.offsets[modality] + row * pixels.nbytes)
        _write(stream, pixels.data.cast("B"))

    def checksum_at(self, stream: IO[bytes], modality: Modality, row: int) -> int:
        """CRC-32 of one row as it is in the file; of less where the file ends before."""
        count = prod(shape_of(modality, 1, self.size))
        stream.seek(self.offsets[modality] + row * count)
        return zlib.crc32(stream.read(count))

    def copy(self, target: Path, rows: dict[Modality, np.ndarray]) -> PixelFile:
        """Some rows as a file of their own.

        Args:
            target: the file to be made.
            rows: (n,) int64, ascending, of each modality.
        """
        made = self.create(target, {m: len(chosen) for m, chosen in rows.items()}, self.size)
        room = memoryview(bytearray(_COPY_BYTES))
        with open(self.path, "rb", buffering=0) as source, open(target, "r+b", buffering=0) as end:
            for modality, chosen in rows.items():
                row = prod(shape_of(modality, 1, self.size))
                end.seek(made.offsets[modality])
                for run in np.split(chosen, np.flatnonzero(np.diff(chosen) != 1) + 1):
                    if len(run):
                        source.seek(self.offsets[modality] + int(run[0]) * row)
                        _copy(source, end, len(run) * row, room)
        return made

    def finish(self, checksums: dict[Modality, np.ndarray], digest: str) -> None:
        """Set the values of what stands beside the pixels, all of which are written.

        A killed process leaves a file that can be finished again: no record of HDF5 changes.

        Args:
            checksums: (rows,) uint32, of each modality.
            digest: the store's.

        Raises:
            CorruptError: HDF5 does not read what was written.
        """
        import h5py

        with h5py.File(self.path, "r+") as file:
            file.attrs.modify("digest", np.bytes_(digest))
            for modality, sums in checksums.items():
                if not len(sums):
                    continue
                beside = file[checksum_name(modality)]
                beside[...] = sums
                beside.flush()  # errors of the system that HDF5 meets while it closes are lost
                for row in (0, len(sums) - 1):
                    if checksum(file[modality][row]) != sums[row]:
                        raise CorruptError(
                            f"Row {row} of {modality} in {display_path(self.path)} has changed.",
                            "Type the command again.",
                        )
            file.flush()


def _copy(source: FileIO, end: FileIO, count: int, room: memoryview) -> None:
    """Copy so many bytes from where one stream stands to where the other does."""
    while count:
        got = source.readinto(room[:count])
        if not got:
            raise CorruptError("The unfinished pixels are cut short.", "Type the command again.")
        _write(end, room[:got])
        count -= got


def _write(stream: IO[bytes], data: memoryview) -> None:
    """Write all of it; an unbuffered stream may take a piece at a time."""
    while data:
        data = data[stream.write(data) :]


def shape_of(modality: Modality, rows: int, size: int) -> tuple[int, int, int, int]:
    """(rows, size, size, 3) for photos, (rows, size, size, 1) for sketches."""
    return rows, size, size, 3 if modality == "photo" else 1


def checksum(pixels: np.ndarray) -> int:
    """CRC-32 of an image's pixels: finds damage, and is cheap enough to be always there.

    Args:
        pixels: uint8, contiguous.
    """
    return zlib.crc32(pixels.data)


def checksum_name(modality: str) -> str:
    """Name of the array of checksums beside that of the pixels."""
    return f"{modality}_crc32"


def digest_of(checksums: np.ndarray) -> str:
    """SHA-256 over the checksums of all rows."""
    return digest_bytes(np.asarray(checksums, dtype="<u4").tobytes())
