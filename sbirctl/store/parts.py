"""Immutable pieces of a store: fixed runs of the sorted items, decoded and resized.

A part file is named after everything its pixels depend on, and is renamed into place when it is
whole; so a part that is there is right, whoever made it and whenever. It holds the pixels of the
readable items one after the other, then a JSON footer with every item's digest or the reason it
could not be read and every picture's checksum, then the footer's length in eight bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import atomic_path, digest_bytes, digest_json
from sbirctl.store.images import load_image
from sbirctl.store.manifest import quote_path
from sbirctl.store.pixels import checksum
from sbirctl.store.source import RawItem

PART_IMAGES = 256
_SCHEMA = 2
_LENGTH_BYTES = 8


@dataclass(frozen=True)
class PartTask:
    """One part to be made.

    Attributes:
        target: where; the name says what is in it.
        items: items of one modality.
        read: gives an item's bytes.
        size: side of the images in pixels.
        max_pixels: larger pictures are refused.
    """

    target: Path
    items: tuple[RawItem, ...]
    read: Callable[[RawItem], bytes]
    size: int
    max_pixels: int


@dataclass(frozen=True)
class Part:
    """A part as read back.

    Attributes:
        digests: SHA-256 of each item's bytes, "" where they could not be read.
        reasons: why an item has no pixels, "" where it has.
        checksums: (number of readable items,) uint32, see `pixels.checksum`.
    """

    digests: tuple[str, ...]
    reasons: tuple[str, ...]
    checksums: np.ndarray


def plan_parts(
    items: Sequence[RawItem],
    read: Callable[[RawItem], bytes],
    settings: dict[str, Any],
    identity: str,
    folder: Path,
) -> list[PartTask]:
    """Cut the sorted items at fixed places, photos and sketches apart."""
    tasks: list[PartTask] = []
    for modality in ("photo", "sketch"):
        chosen = [item for item in items if item.modality == modality]
        for start in range(0, len(chosen), PART_IMAGES):
            run = tuple(chosen[start : start + PART_IMAGES])
            name = digest_json([_SCHEMA, PIL.__version__, settings, identity, _names(run)])
            target = folder / f"{name[:40]}.part"
            tasks.append(PartTask(target, run, read, settings["size"], settings["max_pixels"]))
    return tasks


def make_part(task: PartTask) -> int:
    """Read, decode and resize the items of a part and put it into place; gives their number.

    Memory does not grow with the number of images.
    """
    digests: list[str] = []
    reasons: list[str] = []
    checksums: list[int] = []
    with atomic_path(task.target) as temporary, open(temporary, "wb") as stream:
        for item in task.items:
            digest, reason = "", ""
            try:
                data = task.read(item)
                digest = digest_bytes(data)
                pixels = load_image(data, item.modality, task.size, max_pixels=task.max_pixels)
            except SbirctlError as error:
                reason = error.message
            except (OSError, MemoryError) as error:
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            else:
                checksums.append(checksum(pixels))
                stream.write(np.ascontiguousarray(pixels).data)
            digests.append(digest)
            reasons.append(reason)
        facts = {"digests": digests, "reasons": reasons, "checksums": checksums}
        footer = json.dumps(facts).encode()
        stream.write(footer + len(footer).to_bytes(_LENGTH_BYTES, "little"))
    return len(task.items)


def read_part(task: PartTask) -> Part:
    """Read a part's footer back."""
    with open(task.target, "rb") as stream:
        end = stream.seek(-_LENGTH_BYTES, 2)
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        stream.seek(end - length)
        footer = json.loads(stream.read(length))
    checksums = np.array(footer["checksums"], dtype=np.uint32)
    return Part(tuple(footer["digests"]), tuple(footer["reasons"]), checksums)


def _names(items: Sequence[RawItem]) -> list[list[Any]]:
    return [[i.id, quote_path(i.path), i.modality, i.tree, i.size, i.stamp] for i in items]
