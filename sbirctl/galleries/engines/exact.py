"""The default engine: every cosine, block by block, on all cores or a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from sbirctl.core.errors import UsageError
from sbirctl.galleries.engines import ENGINES, ID, Nearest

if TYPE_CHECKING:
    from torch import Tensor

    from sbirctl.galleries.gallery import Gallery

_SCORES = 1 << 21  # of one product: few enough to stay small whatever the gallery's size
_QUERIES = 64


@ENGINES.register
class Exact:
    """Vectors in one array of float32: the gallery's file, mapped, or what was added.

    Equal scores come in the order of the ids, so a gallery's answer does not depend on how it grew.
    """

    name: ClassVar[str] = "exact"
    keeps: ClassVar[Literal["vectors", "folder", "server"]] = "vectors"
    removes = True

    def __init__(self, spec: str, dim: int) -> None:
        self._ids = np.empty(0, dtype=ID)  # by row; b"" for removed ones
        self._vectors = np.empty((0, dim), dtype=np.float32)
        self._moved: Tensor | None = None
        self._gone: np.ndarray | None = None  # by row; whether it was removed

    @classmethod
    def check(cls, spec: str) -> None:
        """See `Engine.check`."""
        if spec != cls.name:
            raise UsageError(f"There is no engine {spec!r}.", f"Type --engine {cls.name}.")

    def move(self, device: str) -> None:
        """Multiply on a device of torch's from now on; the vectors stay here as well."""
        import torch

        self._moved = torch.from_numpy(np.array(self._vectors)).to(device)

    def __len__(self) -> int:
        return len(self.ids())

    def ids(self) -> np.ndarray:
        """See `Engine.ids`."""
        there: np.ndarray = self._ids[self._ids != b""]
        return there

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """See `Engine.add`."""
        self._moved = self._gone = None
        self._ids = np.concatenate([self._ids, ids.astype(ID)])
        self._vectors = np.concatenate([self._vectors, vectors.astype(np.float32)])

    def remove(self, ids: np.ndarray) -> None:
        """See `Engine.remove`."""
        self._ids = np.where(np.isin(self._ids, ids), b"", self._ids).astype(ID)
        self._gone = None

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
        gone = self._gone
        if gone is None:
            gone = self._gone = self._ids == b""
        # One product of many vectors where there are few queries: the threads of BLAS wait for one
        # another at the end of each, some 8 ms where other work has a core.
        block = _SCORES // len(queries)
        for first in range(0, len(self._ids), block):
            scores = self._scores(slice(first, first + block), queries)
            scores[gone[first : first + block]] = -np.inf
            for i, score in enumerate(scores.T):
                near = _highest(score, k)
                row = np.concatenate([rows[i], first + near])
                both = np.concatenate([best[i], score[near]])
                kept = self._first(both, row, k)
                rows[i], best[i] = row[kept], both[kept]
        for i, (row, score) in enumerate(zip(rows, best, strict=True)):
            there = score > -np.inf
            found.ids[start + i, : there.sum()] = self._ids[row[there]]
            found.scores[start + i, : there.sum()] = score[there]

    def _first(self, scores: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
        """Places of the k highest scores, best first; among equal ones the lower id first."""
        kept = _highest(scores, k)
        return kept[np.lexsort((self._ids[rows[kept]], -scores[kept]))][:k]

    def _scores(self, rows: slice, queries: np.ndarray) -> np.ndarray:
        """(rows, q) cosines of some rows; -inf for what is no number."""
        if self._moved is None:
            scores: np.ndarray = self._vectors[rows] @ queries.T
        else:
            import torch

            with torch.inference_mode():
                asked = torch.from_numpy(queries).to(self._moved.device)
                scores = (self._moved[rows] @ asked.T).cpu().numpy()
        scores[np.isnan(scores)] = -np.inf
        return scores

    def vector(self, id: bytes) -> np.ndarray | None:
        """See `Engine.vector`."""
        rows = np.flatnonzero(self._ids == id)
        return np.array(self._vectors[rows[0]]) if id and len(rows) else None

    @classmethod
    def open(cls, gallery: Gallery) -> Exact:
        """See `Engine.open`."""
        engine = cls(gallery.engine, gallery.dim)
        engine._ids, engine._vectors = gallery.photo_ids(), gallery.vectors
        return engine


def _highest(scores: np.ndarray, k: int) -> np.ndarray:
    """Places of the k highest scores, and of those as high as the last of them."""
    if k >= len(scores):
        return np.arange(len(scores))
    return np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
