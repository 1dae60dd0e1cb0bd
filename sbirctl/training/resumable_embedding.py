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
from sbirctl.training.embedding import BATCH, Advance, embed_rows

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
        images, seconds: what was embedded, pieces found again aside, and how long it took, with
            all models that were embedded together.
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

    def gather(self, sides: Sequence[ImageSubset]) -> list[np.ndarray]:
        """Embeddings of each side, (len(side), dim) float32; none but in the first process."""
        (found,) = gather_all([self], [sides])
        return found

    def clear(self) -> None:
        """Remove the pieces, after the final file is written."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _path(self, store: Store, modality: Modality, index: int, piece: np.ndarray) -> Path:
        content = {**self._identity, "pixels": store.digest, "rows": piece.tolist()}
        return self.root / f"{modality}-{index:05d}-{digest_json(content)[:16]}.npy"


def gather_all(
    embedders: Sequence[ResumableEmbedder], sides: Sequence[Sequence[ImageSubset]]
) -> list[list[np.ndarray]]:
    """What each embedder's `gather` gives of its sides; rows that several want are read once.

    Models go through a data set together where they want the same rows of it; else one after the
    other, since a batch of other rows would change a vector's last bits.

    Args:
        embedders: with models on one device, and the same workers, group and report.
        sides: of each embedder.
    """
    together: dict[tuple[str, Modality, bytes], list[ResumableEmbedder]] = {}
    asked: dict[tuple[str, Modality, bytes], tuple[Store, np.ndarray]] = {}
    for embedder, own in zip(embedders, sides, strict=True):
        for store, modality, rows in _wanted(own):
            key = (store.digest, modality, rows.tobytes())
            together.setdefault(key, []).append(embedder)
            asked[key] = store, rows
    made: dict[tuple[int, str, Modality], tuple[np.ndarray, np.ndarray]] = {}
    for key, some in together.items():
        digest, modality, _ = key
        store, rows = asked[key]
        for embedder, vectors in zip(some, _embed(some, store, modality, rows), strict=True):
            made[id(embedder), digest, modality] = rows, vectors
    found: list[list[np.ndarray]] = []
    for embedder, own in zip(embedders, sides, strict=True):
        found.append([])
        for side in own if embedder.group.first else ():
            rows, vectors = made[id(embedder), side.store.digest, side.modality]
            found[-1].append(vectors[np.searchsorted(rows, side.row)])
    return found


def _embed(
    embedders: Sequence[ResumableEmbedder], store: Store, modality: Modality, rows: np.ndarray
) -> list[np.ndarray]:
    """The vectors of some rows by each model, from their pieces, which are made where missing."""
    lead = embedders[0]
    pieces = [rows[start : start + PIECE] for start in range(0, len(rows), PIECE)]
    paths = [[e._path(store, modality, i, piece) for e in embedders]
             for i, piece in enumerate(pieces)]  # fmt: skip
    there = lead.group.broadcast_from_first(lambda: [[p.exists() for p in some] for some in paths])
    done = sum(len(piece) for piece, made in zip(pieces, there, strict=True) if all(made))
    label = f"embedding {modality}s"
    if len(embedders) > 1:
        label += f" by {len(embedders)} models"
    found: list[list[np.ndarray]] = [[] for _ in embedders]
    with lead.report.bar(label, len(rows), done) as advance:
        for piece, some, made in zip(pieces, paths, there, strict=True):
            missing = [(e, path) for e, path, is_there in zip(embedders, some, made, strict=True)
                       if not is_there]  # fmt: skip
            if missing:
                _make(missing, store, modality, piece, advance)
            if lead.group.first:
                for vectors, path in zip(found, some, strict=True):
                    vectors.append(np.load(path, allow_pickle=False))
    return [
        np.concatenate([np.zeros((0, e.model.dim), dtype=np.float32), *vectors])
        for e, vectors in zip(embedders, found, strict=True)
    ]


def _make(
    missing: Sequence[tuple[ResumableEmbedder, Path]],
    store: Store,
    modality: Modality,
    piece: np.ndarray,
    advance: Advance,
) -> None:
    lead, _ = missing[0]
    start = time.perf_counter()
    found = embed_rows(
        [embedder.model for embedder, _ in missing],
        store,
        modality,
        piece,
        workers=lead.workers,
        advance=advance,
        group=lead.group,
    )
    took = time.perf_counter() - start
    for (embedder, path), vectors in zip(missing, found, strict=True):
        embedder.seconds += took
        embedder.images += len(piece)
        if lead.group.first:
            with atomic_open(path) as stream:
                np.save(stream, vectors, allow_pickle=False)


def _wanted(sides: Sequence[ImageSubset]) -> list[tuple[Store, Modality, np.ndarray]]:
    """The rows all sides together need, by store and modality, sorted and once each."""
    grouped: dict[tuple[str, Modality], list[ImageSubset]] = {}
    for side in sides:
        grouped.setdefault((side.store.digest, side.modality), []).append(side)
    return [
        (group[0].store, modality, np.unique(np.concatenate([side.row for side in group])))
        for (_, modality), group in grouped.items()
    ]
