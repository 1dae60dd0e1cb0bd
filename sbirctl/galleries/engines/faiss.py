"""faiss (Johnson et al., 2019): graphs, lists and quantised vectors for galleries of millions.

Kinds, as `faiss:KIND`:

- `flat`: exact, for comparison;
- `hnsw`: a graph (Malkov and Yashunin, 2018), fast and large in memory; cannot remove;
- `ivf`: vectors in lists by nearest centre, of which the nearest are looked through;
- `sq`: 8 bits a component, a quarter of the memory;
- `pq`: product quantisation (Jégou et al., 2011), 8 bits for every four components.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from sbirctl.core.errors import CorruptError, MissingError, UsageError, nearest
from sbirctl.core.files import display_path
from sbirctl.galleries.database import refuse_links
from sbirctl.galleries.engines import ENGINE_FILES, ENGINES, ID, Nearest

if TYPE_CHECKING:
    from types import ModuleType

    from sbirctl.galleries.gallery import Gallery

KINDS = ("flat", "hnsw", "ivf", "pq", "sq")
DEFAULT = "hnsw"
_LINKS = 32  # of a vector in the graph
_BUILD, _SEEK = 120, 128  # candidates kept while building and while searching the graph
_POINTS_A_LIST = 39  # what faiss wants at least for a centre
_LOOKED_THROUGH = 1 / 12  # of the lists
_SEED_POINTS = 256 * _POINTS_A_LIST  # for the 256 centres of a quantiser
_INDEX, _IDS = ENGINE_FILES


@ENGINES.register
class Faiss:
    """A faiss index of inner products over numbered vectors, and the ids of the numbers.

    Raises:
        MissingError: faiss is not installed.
        UsageError: there is no such kind.
    """

    name: ClassVar[str] = "faiss"
    keeps: ClassVar[Literal["vectors", "folder", "server"]] = "folder"

    def __init__(self, spec: str, dim: int) -> None:
        self.check(spec)
        self._kind = _kind(spec)
        self._faiss = _library()
        self._dim = dim
        self._index: Any = None  # made with the first vectors: most kinds learn from them
        self._ids = np.empty(0, dtype=ID)  # by number; b"" for removed ones
        self.removes = self._kind != "hnsw"

    @classmethod
    def check(cls, spec: str) -> None:
        """See `Engine.check`."""
        kind = _kind(spec)
        if kind not in KINDS:
            raise UsageError(f"faiss has no index {kind!r} here.", nearest(kind, KINDS))
        _library()

    def __len__(self) -> int:
        return 0 if self._index is None else int(self._index.ntotal)

    def ids(self) -> np.ndarray:
        """See `Engine.ids`."""
        there: np.ndarray = self._ids[self._ids != b""]
        return there

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """See `Engine.add`.

        Raises:
            UsageError: these are too few vectors to learn this kind from.
        """
        values = np.ascontiguousarray(vectors, dtype=np.float32)
        if self._index is None:
            self._index = self._learn(values)
        numbers = np.arange(len(self._ids), len(self._ids) + len(ids), dtype=np.int64)
        self._index.add_with_ids(values, numbers)
        self._ids = np.concatenate([self._ids, ids.astype(ID)])

    def remove(self, ids: np.ndarray) -> None:
        """See `Engine.remove`."""
        numbers = np.flatnonzero(np.isin(self._ids, ids)).astype(np.int64)
        # lists with a table of numbers take only the one, which is slow for the others
        select = "IDSelectorArray" if self._kind == "ivf" else "IDSelectorBatch"
        self._index.remove_ids(getattr(self._faiss, select)(numbers))
        self._ids = self._ids.copy()
        self._ids[numbers] = b""

    def search(self, queries: np.ndarray, k: int) -> Nearest:
        """See `Engine.search`."""
        values = np.ascontiguousarray(queries, dtype=np.float32)
        scores, numbers = self._index.search(values, k)
        there = (numbers >= 0) & (numbers < len(self._ids))
        ids = np.where(there, self._ids[np.where(there, numbers, 0)], b"")
        return Nearest(ids.astype(ID), np.where(there, scores, -np.inf))

    def vector(self, id: bytes) -> np.ndarray | None:
        """See `Engine.vector`; of a quantised one what is left of it, made a unit vector."""
        numbers = np.flatnonzero(self._ids == id)
        if not id or not len(numbers):
            return None
        found = self._index.reconstruct(int(numbers[0]))
        vector: np.ndarray = found / max(float(np.linalg.norm(found)), 1e-12)
        return vector

    def save(self, folder: Path) -> None:
        """See `SavedEngine.save`."""
        self._faiss.write_index(self._index, str(folder / _INDEX))
        np.save(folder / _IDS, self._ids, allow_pickle=False)

    @classmethod
    def open(cls, gallery: Gallery) -> Faiss:
        """See `Engine.open`."""
        return cls.load(gallery.engine_folder, gallery.engine, gallery.dim)

    @classmethod
    def load(cls, folder: Path, spec: str, dim: int) -> Faiss:
        """See `SavedEngine.load`."""
        engine = cls(spec, dim)
        refuse_links(folder, folder / _IDS, folder / _INDEX)
        try:
            engine._ids = np.load(folder / _IDS, allow_pickle=False)
            engine._index = engine._faiss.read_index(str(folder / _INDEX))
            if engine._ids.dtype != ID or engine._ids.ndim != 1:
                raise ValueError(f"its ids are {engine._ids.dtype}")
            if len(engine.ids()) != engine._index.ntotal:
                raise ValueError(f"{len(engine.ids())} ids, {engine._index.ntotal} vectors")
        except (OSError, ValueError, EOFError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CorruptError(
                f"The index in {display_path(folder)} is damaged: {reason}.",
                "Make it again: `sbirctl index --gallery NAME`.",
            ) from error
        if engine._index.d != dim:
            raise CorruptError(
                f"The index in {display_path(folder)} holds vectors of {engine._index.d} numbers, "
                f"not {dim}.",
                "Make it again: `sbirctl index --gallery NAME`.",
            )
        engine._search_settings()
        return engine

    def _learn(self, values: np.ndarray) -> Any:
        faiss, inner = self._faiss, self._faiss.METRIC_INNER_PRODUCT
        count = len(values)
        if self._kind in ("flat", "hnsw"):
            if self._kind == "flat":
                made = faiss.IndexFlat(self._dim, inner)
            else:
                made = faiss.IndexHNSWFlat(self._dim, _LINKS, inner)
                made.hnsw.efConstruction = _BUILD
            self._index = faiss.IndexIDMap2(made)
        elif self._kind == "sq":
            made = faiss.IndexScalarQuantizer(self._dim, faiss.ScalarQuantizer.QT_8bit, inner)
            made.train(values)
            self._index = faiss.IndexIDMap2(made)
        elif self._kind == "pq":
            self._enough(count, 256)
            made = faiss.IndexPQ(self._dim, _pieces(self._dim), 8, inner)
            made.pq.cp.min_points_per_centroid = 1  # else it warns of fewer, piece by piece
            made.train(_sample(values, _SEED_POINTS))
            self._index = faiss.IndexIDMap2(made)
        else:
            lists = min(int(4 * count**0.5), count // _POINTS_A_LIST)
            self._enough(lists, 2)
            centres = faiss.IndexFlat(self._dim, inner)
            made = faiss.IndexIVFFlat(centres, self._dim, lists, inner)
            made.own_fields = True
            centres.this.disown()
            made.train(_sample(values, lists * _POINTS_A_LIST))
            made.set_direct_map_type(faiss.DirectMap.Hashtable)
            self._index = made
        self._search_settings()
        return self._index

    def _search_settings(self) -> None:
        if self._kind == "hnsw":
            inner = self._faiss.downcast_index(self._index.index)
            inner.hnsw.efSearch = _SEEK
        elif self._kind == "ivf":
            self._index.nprobe = max(8, round(self._index.nlist * _LOOKED_THROUGH))

    def _enough(self, count: int, least: int) -> None:
        if count < least:
            raise UsageError(
                f"These are too few photos for faiss:{self._kind} to learn from.",
                "Take --engine exact; it is the right one up to some 100,000 photos.",
            )


def _kind(spec: str) -> str:
    return spec.partition(":")[2] or DEFAULT


def _library() -> ModuleType:
    try:
        import faiss
    except ImportError as error:
        raise MissingError(
            "faiss is not installed.", "Type `pip install 'sbirctl[faiss]'`, or take exact."
        ) from error
    return faiss


def _pieces(dim: int) -> int:
    """Into how many pieces a vector is cut: of four components, or as near as divides it."""
    return max(n for n in range(1, max(dim // 4, 1) + 1) if dim % n == 0)


def _sample(values: np.ndarray, most: int) -> np.ndarray:
    if len(values) <= most:
        return values
    rows = np.random.default_rng(0).choice(len(values), most, replace=False)
    return values[np.sort(rows)]
