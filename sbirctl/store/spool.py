"""The file in which a store's pixels come together, and how it becomes `images.h5`.

It is laid out as `images.h5` from the start, with a place for every picture, but without HDF5's own
records: pixels are written by several processes at once, and HDF5's records by none until the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from sbirctl.core.errors import CorruptError, SbirctlError
from sbirctl.core.files import disk_advice, display_path, move_into_place, sync_folder
from sbirctl.store.manifest import MODALITIES, Modality
from sbirctl.store.parts import Part, PartTask, make_part, write_at
from sbirctl.store.pixels import annotate, image_bytes, lay_out
from sbirctl.store.raw import RawDataset
from sbirctl.store.rows import Survey

_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Spool:
    """The pixels of a store that is being made.

    Attributes:
        path: the file.
        places: of each modality.
        offsets: where each modality's array begins.
        size: side of the images in pixels.
        max_pixels: larger pictures are refused.
    """

    path: Path
    places: dict[Modality, int]
    offsets: dict[Modality, int]
    size: int
    max_pixels: int

    @classmethod
    def plan(cls, path: Path, places: dict[Modality, int], size: int, max_pixels: int) -> Spool:
        """Find out where everything goes; the file itself stays as it is."""
        outline = _outline(path)
        with disk_advice(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            offsets = lay_out(outline, places, size)
            outline.unlink()
        return cls(path, places, offsets, size, max_pixels)

    def make(self) -> None:
        """Start with an empty file, another one than a process still ending may have open."""
        with disk_advice(self.path):
            sync_folder(self.path.parent)  # no receipt that was removed comes back beside it
            self.path.unlink(missing_ok=True)
            self.path.touch()
            self.mark.unlink(missing_ok=True)
            sync_folder(self.path.parent)

    @property
    def mark(self) -> Path:
        """A file that is there when pictures may have been moved.

        Places that nobody needed hold other pictures then, but a file that has changed can make one
        needed: so the parts are right all together or not at all.
        """
        return self.path.with_name(f"{self.path.name}.moved")

    def task(self, part: Part, source: RawDataset) -> PartTask:
        """The making of one part."""
        offset = self.offsets[part.modality]
        return PartTask(part, self.path, offset, source.read, self.size, self.max_pixels)

    def fill(self, found: Survey, source: RawDataset) -> None:
        """Bring the pictures that are kept into one piece.

        What is moved stays where it was too, so this can be stopped and done again.

        Raises:
            SbirctlError: a file that takes the place of another has changed meanwhile.
        """
        self.mark.touch()
        sync_folder(self.path.parent)
        for item, place, checksum in found.remade:
            made = make_part(self.task(Part("", item.modality, (item,), (place,)), source))
            if made.checksums != (checksum,):
                raise SbirctlError(
                    f"{item.id} has changed while it was being read.", "Type the command again."
                )
        with open(self.path, "r+b", buffering=0) as stream:
            for modality, moves in found.moves.items():
                image, begin = image_bytes(modality, self.size), self.offsets[modality]
                for start, end in zip(moves.start.tolist(), moves.end.tolist(), strict=True):
                    stream.seek(begin + start * image)
                    write_at(stream, begin + end * image, read_whole(stream, image, self.path))

    def spare(self, found: Survey) -> float:
        """The share of the pixels that are in no use, being unreadable files' or copies'."""
        image = {modality: image_bytes(modality, self.size) for modality in MODALITIES}
        used = sum(moves.rows * image[modality] for modality, moves in found.moves.items())
        return 1 - used / sum(self.places[modality] * image[modality] for modality in MODALITIES)

    def finish(
        self, target: Path, checksums: dict[Modality, np.ndarray], attributes: dict[str, Any]
    ) -> None:
        """Add HDF5's records and rename the file to `target`."""
        import h5py

        outline = _outline(self.path)
        if lay_out(outline, self.places, self.size) != self.offsets:
            raise AssertionError("HDF5 laid the same arrays out in another way")
        with h5py.File(outline, "r+") as file:
            annotate(file, checksums, attributes)
        with (
            open(outline, "rb", buffering=0) as source,
            open(self.path, "r+b", buffering=0) as stream,
        ):
            end = source.seek(0, 2)
            for start, stop in self._records(end):
                for at in range(start, stop, _COPY_BYTES):
                    source.seek(at)
                    count = min(_COPY_BYTES, stop - at)
                    write_at(stream, at, read_whole(source, count, outline))
            stream.truncate(end)
        move_into_place(self.path, target)
        outline.unlink()

    def _records(self, end: int) -> Iterator[tuple[int, int]]:
        """(start, stop) of the bytes that are no pixels, in a file of so many."""
        start = 0
        for modality in MODALITIES:
            if self.places[modality]:
                yield start, self.offsets[modality]
                taken = self.places[modality] * image_bytes(modality, self.size)
                start = self.offsets[modality] + taken
        yield start, end


def _outline(path: Path) -> Path:
    return path.with_name(f"{path.name}.outline")


def read_whole(stream: IO[bytes], count: int, path: Path) -> bytes:
    """So many bytes; an unbuffered stream may give fewer at a time."""
    pieces = []
    while count:
        pieces.append(stream.read(count))
        if not pieces[-1]:
            raise CorruptError(f"{display_path(path)} is shorter than it was.")
        count -= len(pieces[-1])
    return b"".join(pieces)
