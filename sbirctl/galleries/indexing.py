"""Indexing: what changed since the last time is read and embedded, and kept as it is made.

Files are known by path, size and modification time, photos by the digest of their bytes. New files,
in the order of their paths, are cut into pieces of `KEPT`; each piece is in the gallery's database
once it is made, but searched only when the call comes to its end. A stopped call is continued by
the same call: it cuts the rest at the same places and ends in the same gallery.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sbirctl.core.errors import MissingError, SbirctlError, few
from sbirctl.core.files import atomic_open, digest_bytes, display_path, refuse_shortage
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.core.read_ahead import read_ahead
from sbirctl.datasets.readers.tree import File, ReadFolder
from sbirctl.galleries.database import FileRecord
from sbirctl.galleries.embedder import Embedder
from sbirctl.galleries.engines import engine_class
from sbirctl.galleries.gallery import LEFT_OUT, Gallery, GalleryInfo
from sbirctl.galleries.walk import Walk, below, walk
from sbirctl.galleries.writer import GalleryWriter, discard
from sbirctl.store.bounded import load_bounded
from sbirctl.store.images import MAX_PIXELS, ImageError

BATCH = 64
KEPT = 4 * BATCH  # files after which what was made is kept: what a kill can cost
COPY = "copy of another photo"
_SHOWN = 6  # reasons, or folders, in a sentence
_CHUNK = 32  # files one thread reads at a time


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is left out.

    Attributes:
        path: absolute.
        kind: what it is counted as.
        reason: why; may tell sizes or damage.
    """

    path: bytes
    kind: str
    reason: str


@dataclass(frozen=True)
class IndexOutcome:
    """What an index call made of some folders.

    Attributes:
        place: the gallery's folder.
        info: the gallery, as it is now.
        embedded: photos the model had to look at.
        left: every file and folder that is left out, copies too, sorted by path.
    """

    place: Path
    info: GalleryInfo
    embedded: int
    left: tuple[LeftOut, ...]


@dataclass(frozen=True)
class PhotoReader:
    """Reads a file once, for its digest and its pixels.

    Attributes:
        size: side of the square that is wanted.
        known: digests that have a vector already; they are not decoded. May grow meanwhile.
        max_pixels: larger pictures are left out.
    """

    size: int
    known: Collection[str]
    max_pixels: int

    def __call__(self, file: File) -> tuple[FileRecord, np.ndarray | None]:
        """The file's record, and (size, size, 3) uint8 pixels of what has no vector yet.

        Damage is a reason in the record.

        Raises:
            OSError: too many files are open, which says nothing of this one.
        """
        folder, name = os.path.split(file.path)
        digest = ""
        try:
            data = ReadFolder(folder)(name)
            digest = digest_bytes(data)
            if digest in self.known:
                return FileRecord(file, digest), None
            return FileRecord(file, digest), load_bounded(
                data, "photo", self.size, max_pixels=self.max_pixels
            )
        except ImageError as error:
            kind, reason = str(error.kind), error.message
        except (SbirctlError, OSError, MemoryError) as error:
            refuse_shortage(error)
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            kind = reason = display_path(reason)
        return FileRecord(file, digest, kind, display_path(reason)), None


def index(
    place: Path,
    folders: Sequence[bytes],
    embedder: Embedder,
    engine: str,
    *,
    exclude: Sequence[bytes] = (),
    fresh: bool = False,
    max_pixels: int = MAX_PIXELS,
    workers: int | None = None,
    report: Reporter = SILENT,
) -> IndexOutcome:
    """Bring a gallery up to date; the caller holds its lock.

    Args:
        place: the gallery's folder; need not exist.
        folders: absolute paths to walk, or of files.
        embedder: the model; another one than before embeds everything again.
        engine: what shall search it, as typed.
        exclude: patterns of files and folders to leave out, see `walk`.
        fresh: embed everything again.
        max_pixels: larger pictures are left out.
        workers: reading threads, None for one a processor.
        report: told of progress, and of what is damaged.

    Raises:
        MissingError: no photo was found; a gallery that is there stays as it was.
        CorruptError: the gallery is damaged.
    """
    found = walk(folders, exclude)
    writer = GalleryWriter(place, embedder.record, embedder.dim, fresh=fresh, report=report)
    with closing(writer):
        # What was damaged is looked at again: it may be readable now, or allowed to be larger.
        looked = {one.file: one for one in writer.before if not one.kind and one.id in writer.known}
        done = len(writer.known)
        for one in writer.progress:
            if one.kind or one.id in writer.known:
                looked[one.file] = one
        _add_unreachable(found, writer.before)
        new = [file for file in found.files if file not in looked]
        reader = PhotoReader(embedder.record.size, writer.known, max_pixels)
        old = len(found.files) - len(new)
        with report.bar("indexing photos", len(found.files), old) as advance:
            for record in _embed(new, embedder, reader, writer, workers, advance):
                looked[record.file] = record
        records = [looked[file] for file in found.files]
        embedded = len(writer.known) - done
        before = [LeftOut(path, reason, reason) for path, reason in found.left]
        left = tuple(sorted([*before, *_left_out(records)], key=lambda one: one.path))
        if all(record.kind for record in records):
            raise _no_photo(place, folders, left, writer)
        state = _engine_state(place, embedder, engine, records, writer, report)
        writer.finish(records, folders, exclude, engine, state)
    _write_left_out(place / LEFT_OUT, left)
    with closing(Gallery.open(place)) as gallery:
        return IndexOutcome(place, gallery.info, embedded, left)


def _no_photo(
    place: Path, folders: Sequence[bytes], left: Sequence[LeftOut], writer: GalleryWriter
) -> MissingError:
    where = few([display_path(one) for one in folders], _SHOWN)
    if left:
        where += f" (left out: {counted(left)})"
    if not writer.is_new:
        hint = "The gallery stays as it was; `sbirctl galleries rm` removes it."
        return MissingError(f"There is no photo in {where}.", hint)
    writer.close()
    discard(place)
    return MissingError(
        f"There is no photo in {where}.", "Name a folder with JPEG, PNG or WebP files."
    )


def _engine_state(
    place: Path,
    embedder: Embedder,
    engine: str,
    records: Sequence[FileRecord],
    writer: GalleryWriter,
    report: Reporter,
) -> str:
    """Bring the engine up to date; gives what names its folder, "" where it has none."""
    if engine_class(engine).keeps == "vectors":
        return ""
    from sbirctl.galleries.engine_sync import sync_engine

    ids, vectors = writer.listed({record.id for record in records if not record.kind})
    before = writer.engine
    return sync_engine(place, embedder.record, engine, before, records, ids, vectors, report)


def _add_unreachable(found: Walk, before: Iterable[FileRecord]) -> None:
    """What lies below a folder that cannot be read now stays as it was.

    A file that was named stays where the folder it lay in is not there, too.
    """
    if found.unreadable:
        here = {file.path for file in found.files}
        found.files += [
            record.file
            for record in before
            if record.file.path not in here
            and any(_lies_in(record.file.path, folder) for folder in found.unreadable)
        ]
        found.files.sort(key=lambda file: file.path)


def _lies_in(path: bytes, named: bytes) -> bool:
    return below(path, named) or (path == named and not os.path.isdir(os.path.dirname(path)))


def _embed(
    files: Sequence[File],
    embedder: Embedder,
    reader: PhotoReader,
    writer: GalleryWriter,
    workers: int | None,
    advance: Callable[[int], object],
) -> Iterator[FileRecord]:
    """Read, embed and keep new files, piece by piece."""
    threads = (os.cpu_count() or 1) if workers is None else workers
    chunks = [
        files[start : start + _CHUNK]
        for piece in range(0, len(files), KEPT)
        for start in range(piece, min(piece + KEPT, len(files)), _CHUNK)
    ]
    read = read_ahead(chunks, lambda chunk: [reader(file) for file in chunk], threads)
    stream = (one for chunk in read for one in chunk)
    for start in range(0, len(files), KEPT):
        count = min(KEPT, len(files) - start)
        records, ids, vectors = _embed_piece(stream, count, embedder, reader.known, advance)
        writer.append(records, ids, vectors)
        yield from records


def _embed_piece(
    stream: Iterator[tuple[FileRecord, np.ndarray | None]],
    count: int,
    embedder: Embedder,
    known: Collection[str],
    advance: Callable[[int], object],
) -> tuple[list[FileRecord], list[str], np.ndarray]:
    """The next `count` files, and ids and (n, dim) float32 vectors of new photos among them."""
    records: list[FileRecord] = []
    ids: dict[str, None] = {}
    waiting: list[np.ndarray] = []
    made: list[np.ndarray] = [np.empty((0, embedder.dim), dtype=np.float32)]

    def flush() -> None:
        # Rounded to half precision, so that which photos shared a batch hardly ever shows.
        made.append(_unit(embedder.embed(np.stack(waiting), "photo").astype(np.float16)))
        waiting.clear()

    for _ in range(count):
        record, pixels = next(stream)
        records.append(record)
        if pixels is not None and record.id not in known and record.id not in ids:
            ids[record.id] = None
            waiting.append(pixels)
            if len(waiting) == BATCH:
                flush()
        advance(1)
    if waiting:
        flush()
    return records, list(ids), np.concatenate(made)


def _left_out(records: Iterable[FileRecord]) -> Iterator[LeftOut]:
    """The files that are no photo of their own, copies too."""
    seen: set[str] = set()
    for record in records:
        if record.kind:
            yield LeftOut(record.file.path, record.kind, record.reason)
        elif record.id in seen:
            yield LeftOut(record.file.path, COPY, COPY)
        else:
            seen.add(record.id)


def counted(left: Sequence[LeftOut]) -> str:
    """How much is left out for which reason, the commonest first: "3 excluded, 1 broken"."""
    kinds = Counter(one.kind for one in left)
    return few([f"{count:,} {kind}" for kind, count in kinds.most_common()], _SHOWN)


def _write_left_out(path: Path, left: Sequence[LeftOut]) -> None:
    """List what is left out for people: reason and path, a line each."""
    with atomic_open(path, "w") as stream:
        for one in left:
            stream.write(f"{display_path(one.reason)}\t{display_path(one.path)}\n")


def _unit(half: np.ndarray) -> np.ndarray:
    """(n, dim) float32 unit vectors of half-precision ones, whose length rounding has changed."""
    vectors = half.astype(np.float32)
    length = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    unit: np.ndarray = vectors / np.maximum(length, 1e-12)
    return unit
