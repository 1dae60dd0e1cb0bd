"""The default engine: every cosine, block by block, on all cores or a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sbirctl.core.errors import CorruptError, UsageError
from sbirctl.core.files import display_path
from sbirctl.galleries.engines import ENGINES, ID, Nearest
from sbirctl.retrieval.neighbours import first_of

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK = 1 << 15  # vectors of one product: its scores stay small whatever the gallery's size
_QUERIES = 64
_IDS, _VECTORS = "ids.npy", "vectors.npy"


@ENGINES.register
class Exact:
    """Vectors in one array of float32; saved in half precision, as the gallery's parts have them.

    Equal scores come in the order of the ids, so a gallery's answer does not depend on how it grew.
    """

    name: ClassVar[str] = "exact"
    removes = True
    remote = False

    def __init__(self, spec: str, dim: int) -> None:
        self._ids = np.empty(0, dtype=ID)
        self._vectors = np.empty((0, dim), dtype=np.float32)
        self._moved: Tensor | None = None

    @classmethod
    def check(cls, spec: str) -> None:
        """See `Engine.check`."""
        if spec != cls.name:
            raise UsageError(f"There is no engine {spec!r}.", f"Type --engine {cls.name}.")

    def move(self, device: str) -> None:
        """Multiply on a device of torch's from now on; the vectors stay here as well."""
        import torch

        self._moved = torch.from_numpy(self._vectors).to(device)

    def __len__(self) -> int:
        return len(self._ids)

    def ids(self) -> np.ndarray:
        """See `Engine.ids`; sorted."""
        return self._ids

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """See `Engine.add`."""
        self._moved = None
        if not len(self._ids) and (ids[:-1] < ids[1:]).all():
            self._ids, self._vectors = ids, np.ascontiguousarray(vectors, dtype=np.float32)
            return
        both = np.concatenate([self._ids, ids])
        order = np.argsort(both, kind="stable")
        self._ids = both[order]
        self._vectors = np.concatenate([self._vectors, vectors.astype(np.float32)])[order]

    def remove(self, ids: np.ndarray) -> None:
        """See `Engine.remove`."""
        self._moved = None
        kept = ~np.isin(self._ids, ids)
        self._ids, self._vectors = self._ids[kept], self._vectors[kept]

    def search(self, queries: np.ndarray, k: int) -> Nearest:
        """See `Engine.search`; exact up to the rounding of float32 products."""
        found = Nearest(
            np.zeros((len(queries), k), dtype=ID), np.full((len(queries), k), -np.inf, np.float32)
        )
        for start in range(0, len(queries), _QUERIES):
            self._search(queries[start : start + _QUERIES], found, start)
        return found

    def _search(self, queries: np.ndarray, found: Nearest, start: int) -> None:
        k = found.ids.shape[1]
        rows = [np.empty(0, dtype=np.int64)] * len(queries)
        best = [np.empty(0, dtype=np.float32)] * len(queries)
        for first in range(0, len(self._ids), _BLOCK):
            scores = self._scores(first, queries)
            for i in range(len(queries)):
                # the best so far stand before the block: their rows are lower
                both = np.concatenate([best[i], scores[:, i]])
                row = np.concatenate([rows[i], np.arange(first, first + len(scores))])
                kept = first_of(both, row, k)
                rows[i], best[i] = row[kept], both[kept]
        for i, (row, score) in enumerate(zip(rows, best, strict=True)):
            found.ids[start + i, : len(row)] = self._ids[row]
            found.scores[start + i, : len(row)] = score

    def _scores(self, first: int, queries: np.ndarray) -> np.ndarray:
        """(block, q) cosines of the block that begins at `first`."""
        if self._moved is None:
            return self._vectors[first : first + _BLOCK] @ queries.T
        import torch

        with torch.inference_mode():
            asked = torch.from_numpy(queries).to(self._moved.device)
            return (self._moved[first : first + _BLOCK] @ asked.T).cpu().numpy()

    def vector(self, id: bytes) -> np.ndarray | None:
        """See `Engine.vector`."""
        row = int(np.searchsorted(self._ids, np.array(id, dtype=ID)))
        return self._vectors[row] if row < len(self._ids) and self._ids[row] == id else None

    def save(self, folder: Path) -> None:
        """See `Engine.save`."""
        np.save(folder / _IDS, self._ids, allow_pickle=False)
        np.save(folder / _VECTORS, self._vectors.astype(np.float16), allow_pickle=False)

    @classmethod
    def open(cls, folder: Path, spec: str, dim: int) -> Exact:
        """See `Engine.open`."""
        engine = cls(spec, dim)
        try:
            ids = np.load(folder / _IDS, allow_pickle=False)
            half = np.load(folder / _VECTORS, mmap_mode="r", allow_pickle=False)
            if ids.dtype != ID or half.shape != (len(ids), dim):
                raise ValueError(f"{len(ids)} ids, vectors of shape {half.shape}")
            engine._ids, engine._vectors = ids, unit(half)
        except (OSError, ValueError, EOFError) as error:
            raise CorruptError(
                f"The vectors in {display_path(folder)} are damaged: {error}.",
                "Make them again: `sbirctl index --name NAME`.",
            ) from error
        return engine


def unit(half: np.ndarray) -> np.ndarray:
    """(n, dim) float32 unit vectors of half-precision ones, whose length rounding has changed."""
    made = np.empty(half.shape, dtype=np.float32)
    for start in range(0, len(half), _BLOCK):
        block = half[start : start + _BLOCK].astype(np.float32)
        length = np.sqrt(np.einsum("nd,nd->n", block, block))[:, None]
        np.divide(block, np.maximum(length, 1e-12), out=made[start : start + _BLOCK])
    return made
