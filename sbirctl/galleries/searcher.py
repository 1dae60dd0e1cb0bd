"""Searching a gallery: drawings, photos and words to vectors, vectors to the nearest photos."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
from PIL import Image

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets.readers.tree import File
from sbirctl.drawings.placement import Placement
from sbirctl.galleries.embedder import Embedder, as_modality
from sbirctl.galleries.engines import Engine, engine_class
from sbirctl.galleries.engines.exact import Exact
from sbirctl.galleries.filters import Filter
from sbirctl.galleries.gallery import GalleryInfo, find_gallery
from sbirctl.galleries.model_record import ModelRecord
from sbirctl.store.bounded import load_bounded

FilesOf = Callable[[Sequence[str]], Mapping[str, tuple[File, ...]]]
_ID = re.compile(r"[0-9a-f]{64}")
_MORE = 8  # times as many are looked at where too few of the nearest are wanted
EVERYTHING = Filter()


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
        embedder: the model.
        has_text: whether words can be searched for.
        placement: where drawings should lie on their sheets, for `drawings.reading.read_drawing`.
    """

    def __init__(
        self,
        info: GalleryInfo,
        embedder: Embedder,
        engine: Engine,
        files_of: FilesOf,
        changed: Callable[[], bool],
    ) -> None:
        """Use `open`.

        Args:
            info: the gallery in a few words.
            embedder: its model.
            engine: what finds the nearest vectors.
            files_of: the files of some photos by id, sorted by path; unknown ids are left out.
            changed: whether the gallery is another one by now.
        """
        self.info = info
        self.has_text = embedder.has_text
        self.placement: Placement = embedder.record.placement
        self.embedder = embedder
        self._engine = engine
        self._files_of = files_of
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
        if gallery is not None and "://" in gallery:
            return cls._remote(gallery, device, report)
        found = find_gallery(gallery)
        try:
            engine = engine_class(found.engine).open(found)
        except CorruptError:
            if found.changed():  # indexed again meanwhile
                return cls.open(gallery, device=device, report=report)
            raise
        report.note(f"searching {found.info.photos:,} photos of {display_path(found.place.name)}")
        embedder = Embedder.from_record(found.record, found.dim, device=device)
        if isinstance(engine, Exact) and embedder.device != "cpu":
            engine.move(embedder.device)
        return cls(found.info, embedder, engine, found.files, found.changed)

    @classmethod
    def _remote(cls, address: str, device: str, report: Reporter) -> Searcher:
        """A collection that holds all there is to know, whoever filled it."""
        from sbirctl.galleries.engines.qdrant import Qdrant, read_about

        about = read_about(address)
        try:
            record = ModelRecord.from_json(about["model"])
            info = GalleryInfo(
                address, int(about["photos"]), record.label, int(about["dim"]), address
            )
            state = about["state"], about["files"]
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptError(
                f"{address} does not describe a gallery: {error}.", "Index it again."
            ) from error
        report.note(f"searching {info.photos:,} photos of {address}")
        engine = Qdrant(address, info.dim)
        embedder = Embedder.from_record(record, info.dim, device=device)

        def changed() -> bool:
            now = read_about(address)
            return (now["state"], now["files"]) != state

        def files_of(ids: Sequence[str]) -> dict[str, tuple[File, ...]]:
            return {
                name: tuple(File(unquote_to_bytes(path), size, time) for path, size, time in files)
                for name, files in engine.files(ids).items()
                if files
            }

        return cls(info, embedder, engine, files_of, changed)

    @property
    def size(self) -> int:
        """Side of the square its model looks at, in pixels; `embed` makes it of any picture."""
        return self.embedder.record.size

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
        pixels = self.embedder.pixels(image, known)
        with self._busy:
            return self.embedder.embed(pixels[None], known)[0]

    def embed_photo(self, data: bytes) -> np.ndarray:
        """The vector of a photo file's bytes, the very one that indexing gives it.

        Raises:
            ImageError: they are no picture that can be read.
        """
        pixels = load_bounded(data, "photo", self.embedder.record.size)
        with self._busy:
            return self.embedder.embed(pixels[None], "photo")[0]

    def embed_text(self, text: str) -> np.ndarray:
        """(dim,) float32, L2-normalised.

        Raises:
            UsageError: the model has no text tower.
        """
        with self._busy:
            return self.embedder.embed_text([text])[0]

    def search(self, vector: np.ndarray, k: int) -> list[Hit]:
        """The k photos nearest to a unit vector, best first; fewer where the gallery is small.

        Args:
            vector: (dim,) float32.
            k: at least 1.
        """
        return self.search_all(vector[None], k)[0]

    def search_all(
        self, vectors: np.ndarray, k: int, wanted: Filter = EVERYTHING
    ) -> list[list[Hit]]:
        """The same for (q, dim) vectors at once; of the photos that are wanted."""
        k = asked = min(k, self.info.photos)
        while True:
            found = self._nearest(np.asarray(vectors, dtype=np.float32), asked)
            kept = [
                [hit for hit, files in row if wanted.keeps(hit.id, hit.score, files)][:k]
                for row in found
            ]
            ended = (
                len(row) >= k or not all_of_it or wanted.ends_at(all_of_it[-1][0].score)
                for row, all_of_it in zip(kept, found, strict=True)
            )
            if asked >= self.info.photos or all(ended):
                return kept
            asked = min(_MORE * asked, self.info.photos)

    def _nearest(self, vectors: np.ndarray, k: int) -> list[list[tuple[Hit, tuple[File, ...]]]]:
        found = self._engine.search(vectors, k)
        names = [[raw.decode() for raw in ids] for ids in found.ids.tolist()]
        files = self._files_of(list({name for row in names for name in row if name}))
        return [
            [
                (Hit(name, float(score), display_path(files[name][0].path)), files[name])
                for name, score in zip(row, scores, strict=True)
                if name in files
            ]
            for row, scores in zip(names, found.scores, strict=True)
        ]

    def vector(self, id: str) -> np.ndarray:
        """The vector of a photo of the gallery, for more like it: (dim,) float32.

        Raises:
            MissingError: there is no such photo.
        """
        self.files(id)
        found = self._engine.vector(id.encode())
        if found is None:
            raise _unknown(id)
        return found

    def photo(self, id: str) -> Path:
        """An existing file with that content.

        A file that was changed since it was indexed, or replaced by something else, is not given.

        Raises:
            MissingError: there is no such photo, or it is gone.
        """
        files = self.files(id)
        for file in files:
            path = os.fsdecode(file.path)
            try:
                facts = os.stat(path)
            except OSError:
                continue
            if (facts.st_size, facts.st_mtime_ns) == (file.size, file.stamp):
                return Path(path)
        raise MissingError(
            f"{display_path(files[0].path)} is gone or was changed.",
            f"Index again: {self.info.renewal}.",
        )

    def path(self, id: str) -> Path:
        """Like `photo`, but where no file is left as it was, the path of the first one.

        Raises:
            MissingError: there is no such photo.
        """
        try:
            return self.photo(id)
        except MissingError:
            return Path(os.fsdecode(self.files(id)[0].path))

    def files(self, id: str) -> tuple[File, ...]:
        """All files with that content, as they were when indexed, sorted by path.

        Raises:
            MissingError: there is no such photo.
        """
        found = self._files_of([id]) if _ID.fullmatch(id) else {}
        if id not in found:
            raise _unknown(id)
        return found[id]


def _unknown(id: str) -> MissingError:
    return MissingError(f"The gallery has no photo {id[:16]!r}.", "Search again for its ids.")
