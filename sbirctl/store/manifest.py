"""What a store holds: one entry a source file, in columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

Modality = Literal["photo", "sketch"]
MODALITIES: tuple[Modality, Modality] = ("photo", "sketch")


@dataclass(frozen=True)
class Items:
    """The entries of a store, sorted by modality (photos first), class and path.

    Every source file is an entry, copies too; pixels are kept once, so several entries can share
    a row. All columns have one length n.

    Attributes:
        id: `<modality>/<class>/<file name>` or the like, unique, printable.
        path: path below the source folder or archive, as bytes (`os.fsencode`).
        modality: (n,) uint8, index into `MODALITIES`.
        label: (n,) int32, index into `classes`.
        instance: (n,) int32, index into `instances`, -1 where the data set has no pairs. A sketch
            and the photo it was drawn from share it.
        origin: (n,) uint8, index into `origins` (for Sketchy "original" and "extended").
        digest: SHA-256 of the source bytes, hexadecimal.
        row: (n,) int64, row of the pixels in the modality's array of the store.
        copy_of: (n,) int64, index of the entry this one repeats (same bytes, or the publisher's
            copy under the same name), -1 for the first.
        classes: names of the classes, sorted; the canonical spelling of the data set's split.
        instances: names of the instances, sorted ("<class>/<photo stem>").
        origins: names of the origins, "" where there is only one.
    """

    id: tuple[str, ...]
    path: tuple[bytes, ...]
    modality: np.ndarray
    label: np.ndarray
    instance: np.ndarray
    origin: np.ndarray
    digest: tuple[str, ...]
    row: np.ndarray
    copy_of: np.ndarray
    classes: tuple[str, ...]
    instances: tuple[str, ...]
    origins: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.id)

    @cached_property
    def group(self) -> np.ndarray:
        """(n,) int64: entries with one digest, or one pixel row, share a number.

        No split tears a group apart.
        """
        parent = list(range(len(self)))

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        first: dict[object, int] = {}
        for i in range(len(self)):
            for key in (self.digest[i], (int(self.modality[i]), int(self.row[i]))):
                j = first.setdefault(key, i)
                a, b = root(i), root(j)
                if a != b:
                    parent[max(a, b)] = min(a, b)
        roots = np.array([root(i) for i in range(len(self))], dtype=np.int64)
        return np.unique(roots, return_inverse=True)[1].astype(np.int64)

    def where(self, modality: Modality) -> np.ndarray:
        """(k,) int64: the entries of one modality, copies included."""
        return np.flatnonzero(self.modality == MODALITIES.index(modality))
