"""The arrays of `images.h5`: their shapes, their checksums, and where they lie in the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from isal import isal_zlib

from sbirctl.core.files import digest_bytes
from sbirctl.store.manifest import MODALITIES, Modality

if TYPE_CHECKING:
    import h5py


def shape_of(modality: Modality, rows: int, size: int) -> tuple[int, int, int, int]:
    """(rows, size, size, 3) for photos, (rows, size, size, 1) for sketches."""
    return rows, size, size, 3 if modality == "photo" else 1


def image_bytes(modality: Modality, size: int) -> int:
    """How much one image takes."""
    return int(np.prod(shape_of(modality, 1, size)))


def checksum(pixels: np.ndarray) -> int:
    """CRC-32 of an image's pixels: finds damage, and is cheap enough to be always there.

    Args:
        pixels: uint8, contiguous.
    """
    return isal_zlib.crc32(pixels)  # the value of `zlib.crc32` in a tenth of the time


def checksum_name(modality: str) -> str:
    """Name of the array of checksums beside that of the pixels."""
    return f"{modality}_crc32"


def digest_of(checksums: np.ndarray) -> str:
    """SHA-256 over the checksums of all rows."""
    return digest_bytes(np.asarray(checksums, dtype="<u4").tobytes())


def lay_out(path: Path, places: dict[Modality, int], size: int) -> dict[Modality, int]:
    """Make an HDF5 file whose arrays of pixels are still empty; gives where each begins.

    Equal arguments give equal places: arrays are the first thing in the file, each in one piece.
    """
    import h5py
    from h5py import h5d, h5p

    offsets: dict[Modality, int] = {}
    with h5py.File(path, "w") as file:
        for modality in MODALITIES:
            place = h5p.create(h5p.DATASET_CREATE)
            place.set_alloc_time(h5d.ALLOC_TIME_EARLY)
            place.set_fill_time(h5d.FILL_TIME_NEVER)
            place.set_obj_track_times(False)
            shape = shape_of(modality, places[modality], size)
            array = file.create_dataset(modality, shape, np.uint8, dcpl=place)
            offsets[modality] = array.id.get_offset() or 0
    return offsets


def annotate(
    file: h5py.File, checksums: dict[Modality, np.ndarray], attributes: dict[str, Any]
) -> None:
    """Add what stands beside the pixels."""
    file.attrs.update(attributes)
    for modality in MODALITIES:
        name = checksum_name(modality)
        file.create_dataset(name, data=checksums[modality], track_times=False)
