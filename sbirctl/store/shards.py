"""Shards: fixed runs of the sorted items, each decoded by one process.

Every picture's slot, a row of the unfinished pixel file, is known before one is decoded. So pixels
are written once, and shards can be made by any process in any order. A small file, the record, says
what was found out; a shard whose pixels have the checksums of its record is not made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import atomic_open, digest_bytes, digest_json, disk_advice, refuse_shortage
from sbirctl.store.bounded import load_bounded
from sbirctl.store.manifest import MODALITIES, Modality, quote_path
from sbirctl.store.pixels import SCHEMA, PixelFile, checksum
from sbirctl.store.raw import Drawn, RawItem

SHARD_IMAGES = 128
NO_SLOT = -1
# Remarks on pictures that are kept.
BLANK = "nothing is drawn on it"
PARTLY = "it is not drawn whole (text, pictures or other parts of the SVG)"


@dataclass(frozen=True)
class Shard:
    """A run of items of one modality.

    Attributes:
        name: digest of everything that its pixels and their slots depend on.
        modality: of all its items.
        items: what is read.
        slots: row of each item's pixels in the unfinished pixel file, `NO_SLOT` for an item that
            repeats another by the publisher's word.
    """

    name: str
    modality: Modality
    items: tuple[RawItem, ...]
    slots: tuple[int, ...]


@dataclass(frozen=True)
class ShardTask:
    """A shard to be made.

    Attributes:
        shard: which.
        pixels: where the pixels go; the record lies beside that file.
        read: gives an item's bytes.
        max_pixels: larger pictures are refused.
    """

    shard: Shard
    pixels: PixelFile
    read: Callable[[RawItem], bytes]
    max_pixels: int


@dataclass(frozen=True)
class ShardRecord:
    """What was found out while a shard was made.

    Attributes:
        digests: SHA-256 of each item's bytes, "" where they could not be read.
        reasons: why an item gives no picture, "" where it does.
        checksums: of each item's pixels (`pixels.checksum`), 0 where there are none.
        remarks: what is odd about each item that gives a picture, "" for nothing.
    """

    digests: tuple[str, ...]
    reasons: tuple[str, ...]
    checksums: tuple[int, ...]
    remarks: tuple[str, ...]


def plan_shards(
    items: Sequence[RawItem], settings: Mapping[str, object], identity: str
) -> tuple[tuple[Shard, ...], dict[Modality, int]]:
    """Cut the sorted items at fixed places, photos and sketches apart.

    Returns:
        The shards, and how many slots each modality has.
    """
    import h5py

    known: set[str] = set()
    runs: list[tuple[Modality, tuple[RawItem, ...], tuple[int, ...]]] = []
    slots: dict[Modality, int] = dict.fromkeys(MODALITIES, 0)
    for modality in MODALITIES:
        chosen = [item for item in items if item.modality == modality]
        for start in range(0, len(chosen), SHARD_IMAGES):
            run = tuple(chosen[start : start + SHARD_IMAGES])
            own = []
            for item in run:
                if item.copy_of in known:
                    own.append(NO_SLOT)
                    continue
                own.append(slots[modality])
                slots[modality] += 1
                known.add(item.id)
            runs.append((modality, run, tuple(own)))
    versions = [PIL.__version__, h5py.__version__, h5py.version.hdf5_version]
    whole = [SCHEMA, *versions, settings, identity, *slots.values()]
    shards = (
        Shard(digest_json([*whole, _facts(run), own])[:40], m, run, own) for m, run, own in runs
    )
    return tuple(shards), slots


def make_shard(task: ShardTask) -> ShardRecord:
    """Decode a shard and write its record, unless that was done before.

    Raises:
        SbirctlError: the disk is full.
    """
    record = _made_before(task)
    if record is None:
        record = decode_shard(task)
        # Not synced: checksums tell whether pixels and record have reached the disk.
        path = record_path(task.pixels.path.parent, task.shard)
        with atomic_open(path, "w", durable=False) as stream:
            stream.write(json.dumps(vars(record)))
    return record


def decode_shard(task: ShardTask) -> ShardRecord:
    """Read, decode and resize a shard's items, and write the pixels of those that have a slot.

    The others are decoded to see that they can be. Memory does not grow with the number of images.

    Raises:
        SbirctlError: the disk is full.
    """
    shard, found = task.shard, list[tuple[str, str, int, str]]()
    path = task.pixels.path
    with disk_advice(path), open(path, "r+b", buffering=0) as stream:
        for item, slot in zip(shard.items, shard.slots, strict=True):
            pixels, digest, reason, remark = _picture(task, item)
            found.append((digest, reason, 0 if pixels is None else checksum(pixels), remark))
            if slot != NO_SLOT and pixels is not None:
                task.pixels.write(stream, shard.modality, slot, pixels)
    digests, reasons, checksums, remarks = zip(*found, strict=True)
    return ShardRecord(digests, reasons, checksums, remarks)


def record_path(folder: Path, shard: Shard) -> Path:
    """Where the record of a shard lies."""
    return folder / f"{shard.name}.json"


def _made_before(task: ShardTask) -> ShardRecord | None:
    """The record of a shard whose pixels are in the file."""
    shard, path = task.shard, task.pixels.path
    try:
        facts = json.loads(record_path(path.parent, shard).read_bytes())
        record = ShardRecord(*(tuple(facts[field.name]) for field in fields(ShardRecord)))
    # the system stopped before all of it was on the disk, or an older version wrote it
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return None
    with open(path, "rb", buffering=0) as stream:
        for slot, reason, stated in zip(shard.slots, record.reasons, record.checksums, strict=True):
            own = slot != NO_SLOT and not reason
            if own and task.pixels.checksum_at(stream, shard.modality, slot) != stated:
                return None
    return record


def _picture(task: ShardTask, item: RawItem) -> tuple[np.ndarray | None, str, str, str]:
    """(pixels, digest of the bytes, "", remark), or (None, digest or "", reason, "")."""
    digest = ""
    try:
        data = task.read(item)
        digest = digest_bytes(data)
        size = task.pixels.size
        pixels = load_bounded(data, item.modality, size, max_pixels=task.max_pixels)
    except SbirctlError as error:
        return None, digest, error.message, ""
    except (OSError, MemoryError) as error:
        refuse_shortage(error)
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return None, digest, reason, ""
    if item.modality == "sketch" and pixels.min() == pixels.max():
        return pixels, digest, "", BLANK
    return pixels, digest, "", PARTLY if isinstance(data, Drawn) and data.left_out else ""


def _facts(items: Sequence[RawItem]) -> list[list[Any]]:
    return [[i.id, quote_path(i.path), i.modality, i.tree, i.size, i.stamp] for i in items]
