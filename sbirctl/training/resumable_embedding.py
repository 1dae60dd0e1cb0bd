"""Embedding a data set in immutable pieces, so that a stopped call is gone on from."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sbirctl.core.distributed import SINGLE, ProcessGroup
from sbirctl.core.files import atomic_open, digest_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.sampling.subsets import ImageSubset
from sbirctl.store.manifest import Modality
from sbirctl.store.reader import Store
from sbirctl.training.embedding import BATCH, Advance, Embeds, device_of, embed_rows

# A multiple of the batch, so that a piece is embedded in the same batches whenever it is made.
PIECE = 32 * BATCH


class _Rows(NamedTuple):
    """Rows of a store that are embedded one after the other, sorted and once each."""

    store: Store
    modality: Modality
    rows: np.ndarray

    def pieces(self) -> list[np.ndarray]:
        return [self.rows[start : start + PIECE] for start in range(0, len(self.rows), PIECE)]


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
        models: how many those were at most.
    """

    def __init__(
        self,
        model: Embeds,
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
        self.models = 1
        self._identity = identity

    def gather(self, sides: Sequence[ImageSubset]) -> list[np.ndarray]:
        """Embeddings of each side, (len(side), dim) float32; none but in the first process.

        The rows of a side are embedded in batches of their own, those that an earlier side wants
        aside: what else is asked for does not change the first side's vectors.
        """
        make_pieces([self], [sides])
        return self.load(sides) if self.group.first else []

    def load(self, sides: Sequence[ImageSubset]) -> list[np.ndarray]:
        """The same from pieces that are made."""
        found = [np.empty((len(side), self.model.dim), dtype=np.float32) for side in sides]
        for wanted in _wanted(sides):
            for piece, path in self._pieces(wanted):
                made = np.load(path, allow_pickle=False)
                for side, vectors in zip(sides, found, strict=True):
                    if (side.store.digest, side.modality) == (wanted.store.digest, wanted.modality):
                        at = np.minimum(np.searchsorted(piece, side.row), len(piece) - 1)
                        here = piece[at] == side.row
                        vectors[here] = made[at[here]]
        return found

    def clear(self) -> None:
        """Remove the pieces, after the final file is written."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _pieces(self, wanted: _Rows) -> Iterator[tuple[np.ndarray, Path]]:
        for index, piece in enumerate(wanted.pieces()):
            content = {**self._identity, "pixels": wanted.store.digest, "rows": piece.tolist()}
            name = f"{wanted.modality}-{index:05d}-{digest_json(content)[:16]}.npy"
            yield piece, self.root / name


def make_pieces(
    embedders: Sequence[ResumableEmbedder], sides: Sequence[Sequence[ImageSubset]]
) -> None:
    """Make what each embedder lacks of its sides; rows that several want are read once.

    Models go through a data set together where they want the same rows of it on one device; else
    one after the other, since a batch of other rows would change a vector's last bits.

    Args:
        embedders: with the same workers, group and report.
        sides: of each embedder.
    """
    together: dict[tuple[object, ...], tuple[_Rows, list[ResumableEmbedder]]] = {}
    for embedder, own in zip(embedders, sides, strict=True):
        place = str(device_of(embedder.model))
        for wanted in _wanted(own):
            key = (wanted.store.digest, wanted.modality, place, wanted.rows.tobytes())
            together.setdefault(key, (wanted, []))[1].append(embedder)
    for wanted, some in together.values():
        _make_missing(some, wanted)


def _make_missing(embedders: Sequence[ResumableEmbedder], wanted: _Rows) -> None:
    lead = embedders[0]
    pieces = wanted.pieces()
    paths = list(zip(*([path for _, path in e._pieces(wanted)] for e in embedders), strict=True))
    there = lead.group.broadcast_from_first(lambda: [[p.exists() for p in some] for some in paths])
    done = sum(len(piece) for piece, made in zip(pieces, there, strict=True) if all(made))
    label = f"embedding {wanted.modality}s"
    if len(embedders) > 1:
        label += f" by {len(embedders)} models"
    with lead.report.bar(label, len(wanted.rows), done) as advance:
        for piece, some, made in zip(pieces, paths, there, strict=True):
            missing = [(e, path) for e, path, is_there in zip(embedders, some, made, strict=True)
                       if not is_there]  # fmt: skip
            if missing:
                _make(missing, wanted, piece, advance)


def _make(
    missing: Sequence[tuple[ResumableEmbedder, Path]],
    wanted: _Rows,
    piece: np.ndarray,
    advance: Advance,
) -> None:
    lead, _ = missing[0]
    start = time.perf_counter()
    found = embed_rows(
        [embedder.model for embedder, _ in missing],
        wanted.store,
        wanted.modality,
        piece,
        workers=lead.workers,
        advance=advance,
        group=lead.group,
    )
    took = time.perf_counter() - start
    for (embedder, path), vectors in zip(missing, found, strict=True):
        embedder.seconds += took
        embedder.images += len(piece)
        embedder.models = max(embedder.models, len(missing))
        if lead.group.first:
            with atomic_open(path) as stream:
                np.save(stream, vectors, allow_pickle=False)


def _wanted(sides: Sequence[ImageSubset]) -> list[_Rows]:
    """Of each side the rows that no earlier one of its store and modality wants."""
    known: dict[tuple[str, Modality], np.ndarray] = {}
    found = []
    for side in sides:
        there = known.get((side.store.digest, side.modality), side.row[:0])
        rows = np.setdiff1d(side.row, there)
        known[side.store.digest, side.modality] = np.union1d(there, rows)
        if len(rows):
            found.append(_Rows(side.store, side.modality, rows))
    return found
