"""Writing `images.h5`: the rows that are kept, from the part files into one array a modality."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import atomic_path, digest_bytes, display_path
from sbirctl.store.manifest import MODALITIES, Modality
from sbirctl.store.pool import Workers

if TYPE_CHECKING:
    import h5py

_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Kept:
    """What one part gives to the store.

    Attributes:
        path: the part file; its pixels lie at the beginning.
        modality: of all its images.
        chosen: (n,) bool, for each image in the part whether it gets a row.
        checksums: (n,) uint32, CRC-32 of each image's pixels.
        first: row that the first chosen image gets.
    """

    path: Path
    modality: Modality
    chosen: np.ndarray
    checksums: np.ndarray
    first: int


@dataclass(frozen=True)
class _Copy:
    """Runs of bytes to be copied from one file to another: (from, to, length)."""

    source: Path
    target: Path
    runs: tuple[tuple[int, int, int], ...]


def shape_of(modality: Modality, rows: int, size: int) -> tuple[int, int, int, int]:
    """(rows, size, size, 3) for photos, (rows, size, size, 1) for sketches."""
    return rows, size, size, 3 if modality == "photo" else 1


def checksum(pixels: np.ndarray) -> int:
    """CRC-32 of an image's pixels: finds damage, and is cheap enough to be always there."""
    return zlib.crc32(np.ascontiguousarray(pixels).data)


def checksum_name(modality: str) -> str:
    """Name of the array of checksums beside that of the pixels."""
    return f"{modality}_crc32"


def digest_of(checksums: np.ndarray) -> str:
    """SHA-256 over the checksums of all rows."""
    return digest_bytes(np.asarray(checksums, dtype="<u4").tobytes())


def write_images(
    target: Path,
    kept: Sequence[Kept],
    rows: dict[str, int],
    attributes: dict[str, Any],
    settings: dict[str, Any],
    workers: Workers,
) -> dict[str, str]:
    """Write the file, equal parts giving equal bytes; gives each modality's `digest_of`."""
    import h5py

    sums = {
        modality: np.concatenate(
            [k.checksums[k.chosen] for k in kept if k.modality == modality]
            or [np.empty(0, dtype=np.uint32)]
        )
        for modality in MODALITIES
    }
    with atomic_path(target) as temporary:
        with h5py.File(temporary, "w") as file:
            file.attrs.update(attributes)
            for modality in MODALITIES:
                name = checksum_name(modality)
                file.create_dataset(name, data=sums[modality], track_times=False)
            offsets = _arrays(file, kept, rows, settings)
        copies = [_copy(one, temporary, offsets[one.modality], settings) for one in kept if offsets]
        for _ in workers.each(copy_runs, copies):
            pass
    return {modality: digest_of(sums[modality]) for modality in MODALITIES}


def copy_runs(copy: _Copy) -> None:
    """Copy the bytes; the target has its full length already.

    Raises:
        CorruptError: the source ends too early.
    """
    buffer = memoryview(bytearray(_COPY_BYTES))
    with (
        open(copy.source, "rb", buffering=0) as source,
        open(copy.target, "r+b", buffering=0) as target,
    ):
        for start, end, length in copy.runs:
            source.seek(start)
            target.seek(end)
            while length:
                count = source.readinto(buffer[: min(length, _COPY_BYTES)])
                if not count:
                    raise CorruptError(f"{display_path(copy.source)} is shorter than it was.")
                written = 0
                while written < count:
                    written += target.write(buffer[written:count])
                length -= count


def _arrays(
    file: h5py.File, kept: Sequence[Kept], rows: dict[str, int], settings: dict[str, Any]
) -> dict[str, int]:
    """Make the arrays: raw ones empty, giving where they lie; compressed ones with their pixels."""
    from h5py import h5d, h5p

    offsets: dict[str, int] = {}
    for modality in MODALITIES:
        shape = shape_of(modality, rows[modality], settings["size"])
        if settings["encoding"] == "raw":
            place = h5p.create(h5p.DATASET_CREATE)
            place.set_alloc_time(h5d.ALLOC_TIME_EARLY)
            place.set_fill_time(h5d.FILL_TIME_NEVER)
            place.set_obj_track_times(False)
            array = file.create_dataset(modality, shape, np.uint8, dcpl=place)
            offsets[modality] = array.id.get_offset() or 0
        else:
            chunks = (1, *shape[1:]) if shape[0] else None
            packed = {"chunks": chunks, "compression": "gzip", "compression_opts": 1}
            more = packed if chunks else {}
            array = file.create_dataset(modality, shape, np.uint8, track_times=False, **more)
            for one in kept:
                if one.modality == modality:
                    _fill(array, one)
    return offsets


def _fill(array: h5py.Dataset, kept: Kept) -> None:
    if not kept.chosen.any():
        return
    shape = (len(kept.chosen), *array.shape[1:])
    pixels = np.memmap(kept.path, dtype=np.uint8, mode="r", shape=shape)
    array[kept.first : kept.first + int(kept.chosen.sum())] = pixels[kept.chosen]


def _copy(kept: Kept, target: Path, offset: int, settings: dict[str, Any]) -> _Copy:
    image = int(np.prod(shape_of(kept.modality, 1, settings["size"])))
    row = kept.first
    runs: list[tuple[int, int, int]] = []
    for start, end in _true_runs(kept.chosen):
        runs.append((start * image, offset + row * image, (end - start) * image))
        row += end - start
    return _Copy(kept.path, target, tuple(runs))


def _true_runs(mask: np.ndarray) -> Iterator[tuple[int, int]]:
    """(start, end) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
