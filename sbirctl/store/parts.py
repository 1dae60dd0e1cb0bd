"""Fixed runs of the sorted items: decoding and resizing one, and what is known of it afterwards.

Every picture's place in the store's file is known before one is decoded, so its pixels are written
once, and parts can be made by any process in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL

from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import digest_bytes, digest_json, disk_advice
from sbirctl.store.images import load_image
from sbirctl.store.manifest import MODALITIES, Modality, quote_path
from sbirctl.store.pixels import checksum, image_bytes
from sbirctl.store.raw import RawItem

PART_IMAGES = 128
_SCHEMA = 3
NO_PLACE = -1


@dataclass(frozen=True)
class Part:
    """A run of items of one modality.

    Attributes:
        name: digest of everything that its pixels and their places depend on.
        modality: of all its items.
        items: what is read.
        places: of each item's picture in the modality's array, `NO_PLACE` for one that repeats
            another item by the publisher's word.
    """

    name: str
    modality: Modality
    items: tuple[RawItem, ...]
    places: tuple[int, ...]


@dataclass(frozen=True)
class PartTask:
    """A part to be made.

    Attributes:
        part: which.
        file: where the pixels go.
        offset: where the modality's array begins in it.
        read: gives an item's bytes.
        size: side of the images in pixels.
        max_pixels: larger pictures are refused.
    """

    part: Part
    file: Path
    offset: int
    read: Callable[[RawItem], bytes]
    size: int
    max_pixels: int


@dataclass(frozen=True)
class Made:
    """What was found out while a part was made.

    Attributes:
        digests: SHA-256 of each item's bytes, "" where they could not be read.
        reasons: why an item gives no picture, "" where it does.
        checksums: of each item's pixels (`pixels.checksum`), 0 where there are none.
    """

    digests: tuple[str, ...]
    reasons: tuple[str, ...]
    checksums: tuple[int, ...]


def plan_parts(
    items: Sequence[RawItem], settings: dict[str, Any], identity: str
) -> tuple[tuple[Part, ...], dict[Modality, int]]:
    """Cut the sorted items at fixed places, photos and sketches apart.

    Returns:
        The parts, and how many places each modality's array needs.
    """
    import h5py

    known: set[str] = set()
    cut: list[tuple[Modality, tuple[RawItem, ...], tuple[int, ...]]] = []
    places: dict[Modality, int] = dict.fromkeys(MODALITIES, 0)
    for modality in MODALITIES:
        chosen = [item for item in items if item.modality == modality]
        for start in range(0, len(chosen), PART_IMAGES):
            run = tuple(chosen[start : start + PART_IMAGES])
            own = []
            for item in run:
                if item.copy_of in known:
                    own.append(NO_PLACE)
                    continue
                own.append(places[modality])
                places[modality] += 1
                known.add(item.id)
            cut.append((modality, run, tuple(own)))
    versions = [PIL.__version__, h5py.__version__, h5py.version.hdf5_version]  # HDF5 sets offsets
    whole = [_SCHEMA, *versions, settings, identity, *places.values()]
    parts = (Part(digest_json([*whole, _facts(run), own])[:40], m, run, own) for m, run, own in cut)
    return tuple(parts), places


def make_part(task: PartTask) -> Made:
    """Read, decode and resize a part's items, and write the pixels of those that have a place.

    The others are decoded to see that they can be. Memory does not grow with the number of images.

    Raises:
        SbirctlError: the disk is full.
    """
    part, made = task.part, list[tuple[str, str, int]]()
    image = image_bytes(part.modality, task.size)
    with disk_advice(task.file), open(task.file, "r+b", buffering=0) as stream:
        for item, place in zip(part.items, part.places, strict=True):
            pixels, digest, reason = _picture(task, item)
            made.append((digest, reason, 0 if pixels is None else checksum(pixels)))
            if place != NO_PLACE:
                # Nothing of an earlier, stopped run may stay in the place of an unreadable file.
                data = bytes(image) if pixels is None else pixels.data
                write_at(stream, task.offset + place * image, data)
    digests, reasons, checksums = zip(*made, strict=True)
    return Made(digests, reasons, checksums)


def write_at(stream: IO[bytes], offset: int, data: bytes | memoryview) -> None:
    """Write all of it there; an unbuffered stream may take a piece at a time."""
    stream.seek(offset)
    written = stream.write(data)
    while written < len(rest := memoryview(data).cast("B")):
        written += stream.write(rest[written:])


def _picture(task: PartTask, item: RawItem) -> tuple[np.ndarray | None, str, str]:
    """(pixels, digest of the bytes, "") or (None, digest where there are bytes, reason)."""
    digest = ""
    try:
        data = task.read(item)
        digest = digest_bytes(data)
        pixels = load_image(data, item.modality, task.size, max_pixels=task.max_pixels)
    except SbirctlError as error:
        return None, digest, error.message
    except (OSError, MemoryError) as error:
        return None, digest, getattr(error, "strerror", None) or str(error) or type(error).__name__
    return pixels, digest, ""


def _facts(items: Sequence[RawItem]) -> list[list[Any]]:
    return [[i.id, quote_path(i.path), i.modality, i.tree, i.size, i.stamp] for i in items]
