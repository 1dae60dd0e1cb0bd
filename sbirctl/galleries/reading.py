"""Photo files to pixels, in threads that read ahead of the model."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import digest_bytes
from sbirctl.datasets.readers.tree import File, ReadFolder
from sbirctl.galleries.listing import Entry
from sbirctl.store.images import load_image


@dataclass(frozen=True)
class Read:
    """What came of reading a file.

    Attributes:
        entry: as it is listed.
        pixels: (size, size, 3) uint8; None for what is left out, or known already.
    """

    entry: Entry
    pixels: np.ndarray | None


@dataclass(frozen=True)
class PhotoReader:
    """Reads a file once, for its digest and its pixels.

    Attributes:
        size: side of the square that is wanted.
        known: digests that have a vector already; they are not decoded. May grow meanwhile.
        max_pixels: larger pictures are left out.
    """

    size: int
    known: Collection[str]
    max_pixels: int

    def __call__(self, file: File) -> Read:
        """The file's entry and pixels; damage is a reason in the entry."""
        folder, name = os.path.split(file.path)
        digest = ""
        try:
            data = ReadFolder(folder)(name)
            digest = digest_bytes(data)
            if digest in self.known:
                return Read(Entry(file, digest), None)
            pixels = load_image(data, "photo", self.size, max_pixels=self.max_pixels)
        except SbirctlError as error:
            return Read(Entry(file, digest, error.message), None)
        except (OSError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return Read(Entry(file, digest, reason), None)
        return Read(Entry(file, digest), pixels)
