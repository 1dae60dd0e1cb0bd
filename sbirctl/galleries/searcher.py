"""Searching a gallery: drawings, photos and words to vectors, vectors to the nearest photos."""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
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
from sbirctl.galleries.engines import Finder, engine_class
from sbirctl.galleries.engines.exact import Exact
from sbirctl.galleries.filters import Filter
from sbirctl.galleries.gallery import GalleryInfo, find_gallery
from sbirctl.galleries.model_record import ModelRecord
from sbirctl.inference.presence import Presence
from sbirctl.store.bounded import load_bounded

Narrowed = tuple[Finder, int]
FilesOf = Callable[[Sequence[str]], Mapping[str, tuple[File, ...]]]
_ID = re.compile(r"[0-9a-f]{64}")
_NARROWED = 4  # choices of folders whose vectors are kept apart
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


@dataclass(frozen=True)
class FoundPhotos:
    """What was found for one vector.

    Attributes:
        hits: the photos, best first.
        likely: for a drawing, whether anything like it seems to be there at all; None where the
            model does not say how that is told.
    """

    hits: list[Hit]
    likely: bool | None


class Searcher:
    """An open gallery and its model; every method may be called from several threads.

    Attributes:
        info: the gallery in a few words.
        embedder: the model.
        has_text: whether words can be searched for.
        placement: where drawings should lie on their sheets, for `drawings.reading.read_drawing`.
        engine: what finds the nearest vectors.
        files_of: the files of some photos by id, sorted by path; unknown ids are left out.
    """

    def __init__(
        self,
        info: GalleryInfo,
        embedder: Embedder,
        engine: Finder,
        files_of: FilesOf,
        changed: Callable[[], bool],
        narrow: Callable[[Sequence[bytes]], Narrowed | None] = lambda _: None,
        sub_folders: Callable[[], Sequence[bytes]] = tuple,
    ) -> None:
        """Use `open`.

        Args:
            info: the gallery in a few words.
            embedder: its model.
            engine, files_of: see the attributes.
            changed: whether the gallery is another one by now.
            narrow: what finds the photos below some folders, and how many these are; None where
                there is no such thing.
            sub_folders: the folders that hold photos, absolute.
        """
        self.info = info
        self.has_text = embedder.has_text
        self.placement: Placement = embedder.record.placement
        self.embedder = embedder
        self.engine = engine
        self.files_of = files_of
        self.sub_folders = cache(sub_folders)
        self._changed = changed
        self._narrow = narrow
        self._kept: OrderedDict[tuple[bytes, ...], Narrowed | None] = OrderedDict()
        self._busy = threading.Lock()
        self._narrowing = threading.Lock()

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

        def narrow(folders: Sequence[bytes]) -> Narrowed | None:
            try:
                ids = found.photo_ids()
            except CorruptError:  # indexed again meanwhile
                return None
            rows = np.flatnonzero(np.isin(ids, found.ids_below(folders)))
            part = Exact(Exact.name, found.dim)
            part.add(ids[rows], found.vectors[rows])
            return part, len(rows)

        return cls(
            found.info, embedder, engine, found.files, found.changed, narrow, found.sub_folders
        )

    @classmethod
    def _remote(cls, address: str, device: str, report: Reporter) -> Searcher:
        """A collection that holds all there is to know, whoever filled it."""
        from sbirctl.galleries.engines.qdrant import Qdrant, read_about

        about = read_about(address)
        try:
            record = ModelRecord.from_json(about["model"])
            photos, dim = int(about["photos"]), int(about["dim"])
            info = GalleryInfo(
                address, photos, record.label, dim, address, model_key=record.comparable
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
    def names(self) -> tuple[str, ...]:
        """The galleries it searches."""
        return self.info.names

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
            vector: np.ndarray = self.embedder.embed(pixels[None], known)[0]
            return vector

    def embed_photo(self, data: bytes) -> np.ndarray:
        """The vector of a photo file's bytes, the very one that indexing gives it.

        Raises:
            ImageError: they are no picture that can be read.
        """
        pixels = load_bounded(data, "photo", self.embedder.record.size)
        with self._busy:
            vector: np.ndarray = self.embedder.embed(pixels[None], "photo")[0]
            return vector

    def embed_text(self, text: str) -> np.ndarray:
        """(dim,) float32, L2-normalised.

        Raises:
            UsageError: the model has no text tower.
        """
        with self._busy:
            vector: np.ndarray = self.embedder.embed_text([text])[0]
            return vector

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
        return [one.hits for one in self.find(vectors, k, wanted)]

    def find(self, vectors: np.ndarray, k: int, wanted: Filter = EVERYTHING) -> list[FoundPhotos]:
        """The same, with what the scores of the nearest say."""
        presence = self.embedder.presence
        narrowed = self.narrowed(wanted.folders)
        finder, count = narrowed or (self.engine, self.info.photos)
        if wanted.folders and narrowed is None:
            presence = None  # the nearest are those of all folders
        k = min(k, count)
        asked = min(max(k, presence.nearest if presence else 0), count)
        likely: list[bool | None] | None = None
        while True:
            found = self._nearest(finder, np.asarray(vectors, dtype=np.float32), asked, wanted)
            if likely is None:
                likely = [_likely(presence, row, count) for row in found]
            kept = [
                list(islice((h for h, files in row if wanted.keeps(h.id, h.score, files)), k))
                for row in found
            ]
            ended = (
                len(row) >= k or not all_of_it or wanted.ends_at(all_of_it[-1][0].score)
                for row, all_of_it in zip(kept, found, strict=True)
            )
            if asked >= count or all(ended) or wanted.is_over():
                return [FoundPhotos(row, one) for row, one in zip(kept, likely, strict=True)]
            asked = min(_MORE * asked, count)

    def narrowed(self, folders: tuple[bytes, ...]) -> Narrowed | None:
        """What finds the photos below some folders alone; None for all, or where all are asked."""
        if not folders:
            return None
        with self._narrowing:
            if folders not in self._kept:
                self._kept[folders] = self._narrow(folders)
            self._kept.move_to_end(folders)
            while len(self._kept) > _NARROWED:
                self._kept.popitem(last=False)
            return self._kept[folders]

    def _nearest(
        self, finder: Finder, vectors: np.ndarray, k: int, wanted: Filter
    ) -> list[list[tuple[Hit, tuple[File, ...]]]]:
        found = finder.search(vectors, k)
        names = [[raw.decode() for raw in ids] for ids in found.ids.tolist()]
        files = self.files_of(list({name for row in names for name in row if name}))
        return [
            [
                (Hit(name, float(score), display_path(_first(files[name], wanted))), files[name])
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
        found = self.engine.vector(id.encode())
        if found is None:
            raise _unknown(id)
        return found

    def photo(self, id: str, wanted: Filter = EVERYTHING) -> Path:
        """An existing file with that content, one below the folders that are wanted if it can be.

        A file that was changed since it was indexed, or replaced by something else, is not given.

        Raises:
            MissingError: there is no such photo, or it is gone.
        """
        files = self.files(id)
        inside = wanted.inside(files)
        for file in [*inside, *(file for file in files if file not in inside)]:
            path = os.fsdecode(file.path)
            try:
                facts = os.stat(path)
            except OSError:
                continue
            if (facts.st_size, facts.st_mtime_ns) == (file.size, file.stamp):
                return Path(path)
        raise MissingError(
            f"{display_path(_first(files, wanted))} is gone or was changed.",
            f"Index again: {self.info.renewal}.",
        )

    def path(self, id: str, wanted: Filter = EVERYTHING) -> Path:
        """Like `photo`, but where no file is left as it was, the path of the first one.

        Raises:
            MissingError: there is no such photo.
        """
        try:
            return self.photo(id, wanted)
        except MissingError:
            return Path(os.fsdecode(_first(self.files(id), wanted)))

    def files(self, id: str) -> tuple[File, ...]:
        """All files with that content, as they were when indexed, sorted by path.

        Raises:
            MissingError: there is no such photo.
        """
        found = self.files_of([id]) if _ID.fullmatch(id) else {}
        if id not in found:
            raise _unknown(id)
        return found[id]


def _likely(
    presence: Presence | None, row: Sequence[tuple[Hit, tuple[File, ...]]], count: int
) -> bool | None:
    if presence is None:
        return None
    return presence.likely(np.array([hit.score for hit, _ in row[: presence.nearest]]), count)


def _first(files: Sequence[File], wanted: Filter) -> bytes:
    """The path to show: the first below the folders that are wanted."""
    return (wanted.inside(files) or files)[0].path


def _unknown(id: str) -> MissingError:
    return MissingError(f"The gallery has no photo {id[:16]!r}.", "Search again for its ids.")
