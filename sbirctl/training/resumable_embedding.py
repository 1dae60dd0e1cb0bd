"""Embedding a data set in immutable pieces, so that a stopped call is gone on from."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sbirctl.core.distributed import SINGLE, ProcessGroup
from sbirctl.core.files import atomic_open, digest_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.models import Model
from sbirctl.sampling.subsets import ImageSubset
from sbirctl.store.manifest import Modality
from sbirctl.store.reader import Store
from sbirctl.training.embedding import BATCH, embed_rows

# A multiple of the batch, so that a piece is embedded in the same batches whenever it is made.
PIECE = 32 * BATCH


class ResumableEmbedder:
    """Embeds sides of stores piece by piece; every pixel row once, whoever asks for it.

    Pieces are files `<modality>-<number>-<digest of its rows>.npy` in a folder named after what
    decides their values; each appears whole or not at all.

    Args:
        model: in evaluation mode.
        folder: for the pieces.
        identity: what decides the vectors besides the rows: digests of checkpoint and store.
        workers: reading threads, None for what suits the device.
        group: the processes that share the work; the first one reads and writes the pieces, and
            only it has the vectors in the end.

    Attributes:
        images, seconds: what was embedded, pieces found again aside, and how long it took.
    """

    def __init__(
        self,
        model: Model,
        folder: Path,
        identity: dict[str, str],
        *,
        workers: int | None = None,
        group: ProcessGroup = SINGLE,
        report: Reporter = SILENT,
    ) -> None:
        self.model = model
        self.group = group
        self.root = folder
        self.workers = workers
        self.report = report
        self.images = 0
        self.seconds = 0.0
        self._identity = identity
        self._made: dict[tuple[str, Modality], tuple[np.ndarray, np.ndarray]] = {}

    def gather(self, sides: Sequence[ImageSubset]) -> list[np.ndarray]:
        """Embeddings of each side, (len(side), dim) float32; none but in the first process."""
        for store, modality, rows in _wanted(sides):
            vectors = self._embed(store, modality, rows)
            self._made[store.digest, modality] = rows, vectors
        if not self.group.first:
            return []
        found = []
        for side in sides:
            rows, vectors = self._made[side.store.digest, side.modality]
            found.append(vectors[np.searchsorted(rows, side.row)])
        return found

    def clear(self) -> None:
        """Remove the pieces, after the final file is written."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _embed(self, store: Store, modality: Modality, rows: np.ndarray) -> np.ndarray:
        pieces = [rows[start : start + PIECE] for start in range(0, len(rows), PIECE)]
        paths = [self._path(store, modality, index, piece) for index, piece in enumerate(pieces)]
        there = self.group.broadcast_from_first(lambda: [path.exists() for path in paths])
        done = sum(len(piece) for piece, made in zip(pieces, there, strict=True) if made)
        found = []
        with self.report.bar(f"embedding {modality}s", len(rows), done) as advance:
            for piece, path, made in zip(pieces, paths, there, strict=True):
                if not made:
                    self._make(path, store, modality, piece, advance)
                if self.group.first:
                    found.append(np.load(path, allow_pickle=False))
        if not found:
            return np.zeros((0, self.model.dim), dtype=np.float32)
        return np.concatenate(found)

    def _make(
        self, path: Path, store: Store, modality: Modality, piece: np.ndarray, advance: object
    ) -> None:
        assert callable(advance)
        start = time.perf_counter()
        vectors = embed_rows(
            self.model,
            store,
            modality,
            piece,
            workers=self.workers,
            advance=advance,
            group=self.group,
        )
        self.seconds += time.perf_counter() - start
        self.images += len(piece)
        if self.group.first:
            with atomic_open(path) as stream:
                np.save(stream, vectors, allow_pickle=False)

    def _path(self, store: Store, modality: Modality, index: int, piece: np.ndarray) -> Path:
        content = {**self._identity, "pixels": store.digest, "rows": piece.tolist()}
        return self.root / f"{modality}-{index:05d}-{digest_json(content)[:16]}.npy"


def _wanted(sides: Sequence[ImageSubset]) -> list[tuple[Store, Modality, np.ndarray]]:
    """The rows all sides together need, by store and modality, sorted and once each."""
    grouped: dict[tuple[str, Modality], list[ImageSubset]] = {}
    for side in sides:
        grouped.setdefault((side.store.digest, side.modality), []).append(side)
    return [
        (group[0].store, modality, np.unique(np.concatenate([side.row for side in group])))
        for (_, modality), group in grouped.items()
    ]
