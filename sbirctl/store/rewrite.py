"""Writing `images.h5` from a finished spool that cannot itself become it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sbirctl.core.files import atomic_path
from sbirctl.store.manifest import Modality
from sbirctl.store.pixels import annotate, image_bytes, shape_of
from sbirctl.store.pool import Workers
from sbirctl.store.spool import Spool, read_whole

if TYPE_CHECKING:
    import h5py

_LEVEL = 1
_RUN = 64


@dataclass(frozen=True)
class _Run:
    """Images one after the other in a file."""

    path: Path
    offset: int
    count: int
    image: int


def rewrite(
    target: Path,
    spool: Spool,
    checksums: dict[Modality, np.ndarray],
    attributes: dict[str, Any],
    encoding: str,
    workers: Workers,
) -> None:
    """Write the rows that are in use, compressed or not; equal pixels give equal bytes."""
    import h5py

    with atomic_path(target) as temporary, h5py.File(temporary, "w") as file:
        for modality, sums in checksums.items():
            shape = shape_of(modality, len(sums), spool.size)
            runs = list(_runs(spool, modality, len(sums)))
            if encoding == "gzip" and runs:
                _compressed(file, modality, shape, runs, workers)
            else:
                array = file.create_dataset(modality, shape, np.uint8, track_times=False)
                for start, run in enumerate(runs):
                    images = np.frombuffer(_read(run), np.uint8).reshape(-1, *shape[1:])
                    array[start * _RUN : start * _RUN + run.count] = images
        annotate(file, checksums, attributes)


def _compressed(
    file: h5py.File, modality: Modality, shape: tuple[int, ...], runs: list[_Run], workers: Workers
) -> None:
    """Every image is a chunk of its own; the processes compress them."""
    packed = {"chunks": (1, *shape[1:]), "compression": "gzip", "compression_opts": _LEVEL}
    array = file.create_dataset(modality, shape, np.uint8, track_times=False, **packed)
    chunks = (one for run in workers.in_order(_pack, runs) for one in run)
    for row, chunk in enumerate(chunks):
        array.id.write_direct_chunk((row, 0, 0, 0), chunk)


def _runs(spool: Spool, modality: Modality, rows: int) -> Iterator[_Run]:
    image = image_bytes(modality, spool.size)
    for row in range(0, rows, _RUN):
        offset = spool.offsets[modality] + row * image
        yield _Run(spool.path, offset, min(_RUN, rows - row), image)


def _read(run: _Run) -> bytes:
    with open(run.path, "rb", buffering=0) as stream:
        stream.seek(run.offset)
        return read_whole(stream, run.count * run.image, run.path)


def _pack(run: _Run) -> list[bytes]:
    """Each image as HDF5's gzip filter would write it."""
    pixels = _read(run)
    starts = range(0, len(pixels), run.image)
    return [zlib.compress(pixels[start : start + run.image], _LEVEL) for start in starts]
