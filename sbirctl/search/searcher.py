"""Searching a gallery: drawings, photos and words to vectors, vectors to the nearest photos."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sbirctl.core.errors import MissingError
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets.tree import File
from sbirctl.search.embedder import Embedder, as_modality
from sbirctl.search.engines import Engine, engine_class
from sbirctl.search.framing import Frame
from sbirctl.search.gallery import GalleryInfo, find_gallery
from sbirctl.search.listing import Entry


@dataclass(frozen=True)
class Hit:
    """A photo that was found.

    Attributes:
        id: SHA-256 of its file, hexadecimal.
        score: cosine, as the engine sees it.
        path: where it lies first, as text a terminal can show.
    """

    id: str
    score: float
    path: str


class Searcher:
    """An open gallery and its model; every method may be called from several threads.

    Attributes:
        info: the gallery in a few words.
        has_text: whether words can be searched for.
        frame: where drawings should lie on their sheets, for `drawing.read_drawing`.
    """

    def __init__(
        self,
        info: GalleryInfo,
        embedder: Embedder,
        engine: Engine,
        files: Mapping[str, tuple[File, ...]],
        changed: Callable[[], bool],
    ) -> None:
        """Use `open`.

        Args:
            files: id to the files of that content.
            changed: whether the gallery is another one by now.
        """
        self.info = info
        self.has_text = embedder.has_text
        self.frame: Frame = embedder.record.frame
        self._embedder = embedder
        self._engine = engine
        self._files = files
        self._changed = changed
        self._busy = threading.Lock()

    @classmethod
    def open(
        cls, gallery: str | None = None, *, device: str = "auto", report: Reporter = SILENT
    ) -> Searcher:
        """Open a gallery and load its model.

        Args:
            gallery: its name; None for the one indexed last.
            device: auto, cpu, cuda, …

        Raises:
            MissingError: no such gallery, or its model is gone.
            MismatchError: its model is not what it was.
            CorruptError: its files are damaged.
        """
        found = find_gallery(gallery)
        report.note(f"searching {found.photos:,} photos of {display_path(found.place.name)}")
        engine = engine_class(found.engine).open(
            found.place / found.engine_folder, found.engine, found.dim
        )
        embedder = Embedder.again(found.record, device=device)
        return cls(found.info, embedder, engine, _by_id(found.entries()), found.changed)

    def stale(self) -> bool:
        """Whether the gallery was indexed again, or removed, since it was opened."""
        return self._changed()

    def embed(self, image: Image.Image, modality: str) -> np.ndarray:
        """Both halves of preprocessing and the model: (dim,) float32, L2-normalised.

        Args:
            image: of any mode and size; a sketch dark on white.
            modality: "sketch" or "photo".

        Raises:
            UsageError: it is another one.
        """
        known = as_modality(modality)
        pixels = self._embedder.pixels(image, known)
        with self._busy:
            return self._embedder.embed(pixels[None], known)[0]

    def embed_text(self, text: str) -> np.ndarray:
        """(dim,) float32, L2-normalised.

        Raises:
            UsageError: the model has no text tower.
        """
        with self._busy:
            return self._embedder.embed_text([text])[0]

    def search(self, vector: np.ndarray, k: int) -> list[Hit]:
        """The k photos nearest to a unit vector, best first; fewer where the gallery is small.

        Args:
            vector: (dim,) float32.
            k: at least 1.
        """
        return self.search_all(vector[None], k)[0]

    def search_all(self, vectors: np.ndarray, k: int) -> list[list[Hit]]:
        """The same for (q, dim) vectors at once."""
        k = min(k, self.info.photos)
        found = self._engine.search(np.asarray(vectors, dtype=np.float32), k)
        return [
            [
                Hit(name, float(score), display_path(self._files[name][0].path))
                for raw, score in zip(ids, scores, strict=True)
                if (name := raw.decode()) in self._files
            ]
            for ids, scores in zip(found.ids.tolist(), found.scores, strict=True)
        ]

    def vector(self, id: str) -> np.ndarray:
        """The vector of a photo of the gallery, for more like it: (dim,) float32.

        Raises:
            MissingError: there is no such photo.
        """
        found = self._engine.vector(id.encode()) if id in self._files else None
        if found is None:
            raise _unknown(id)
        return found

    def photo(self, id: str) -> Path:
        """An existing file with that content.

        A file that was changed since it was indexed, or replaced by something else, is not given.

        Raises:
            MissingError: there is no such photo, or it is gone.
        """
        for file in self.files(id):
            path = os.fsdecode(file.path)
            try:
                facts = os.stat(path)
            except OSError:
                continue
            if (facts.st_size, facts.st_mtime_ns) == (file.size, file.stamp):
                return Path(path)
        raise MissingError(
            f"{display_path(self._files[id][0].path)} is gone or was changed.",
            f"Index again: `sbirctl index --name {self.info.name}`.",
        )

    def files(self, id: str) -> tuple[File, ...]:
        """All files with that content, as they were when indexed, sorted by path.

        Raises:
            MissingError: there is no such photo.
        """
        if id not in self._files:
            raise _unknown(id)
        return self._files[id]


def _by_id(entries: list[Entry]) -> dict[str, tuple[File, ...]]:
    files: defaultdict[str, list[File]] = defaultdict(list)
    for entry in entries:
        if not entry.reason:
            files[entry.id].append(entry.file)
    return {name: tuple(found) for name, found in files.items()}


def _unknown(id: str) -> MissingError:
    return MissingError(f"The gallery has no photo {id[:16]!r}.", "Search again for its ids.")
