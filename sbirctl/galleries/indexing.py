"""Indexing: what changed since the last time is read and embedded, part by part.

Files are known by path, size and modification time, photos by the digest of their bytes. New files,
in the order of their paths, are cut into parts; each part file is put into place when it is
complete and never changes. The manifest comes last. A stopped call leaves parts the manifest does
not name: the same call finds them, cuts the rest at the same places and ends in the same gallery.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets.readers.tree import File
from sbirctl.galleries.embedder import Embedder
from sbirctl.galleries.engines import ID
from sbirctl.galleries.engines.exact import unit
from sbirctl.galleries.gallery import (
    LEFT_OUT,
    Gallery,
    sweep,
    write_entries,
    write_gallery,
)
from sbirctl.galleries.keeping import keep
from sbirctl.galleries.listing import Entry, left_out, write_left_out
from sbirctl.galleries.parts import Part, part_name, read_part, write_part
from sbirctl.galleries.reading import PhotoReader, Read
from sbirctl.galleries.walk import Walk, below, walk
from sbirctl.store.images import MAX_PIXELS

BATCH = 64
PART = 4 * BATCH  # files of a part: what a kill can cost
_CHUNK = 32  # files one thread reads at a time


@dataclass(frozen=True)
class Outcome:
    """What an index call made of some folders.

    Attributes:
        gallery: as it is now.
        embedded: photos the model had to look at.
        left: (path, reason) of every file and folder that is left out, copies too.
    """

    gallery: Gallery
    embedded: int
    left: tuple[tuple[bytes, str], ...]


@dataclass
class _State:
    """What is known while indexing: the vectors of photos, and what files held."""

    ids: list[str] = field(default_factory=list)
    vectors: list[np.ndarray] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    entries: dict[File, Entry] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)

    def take(self, name: str, part: Part) -> None:
        if part.ids:  # else it is only a note of what was looked into
            self.parts.append(name)
        self.ids += part.ids
        self.vectors.append(part.vectors)
        self.known.update(part.ids)


def index(
    place: Path,
    old: Gallery | None,
    folders: Sequence[bytes],
    embedder: Embedder,
    engine: str,
    *,
    exclude: Sequence[bytes] = (),
    max_pixels: int = MAX_PIXELS,
    workers: int | None = None,
    report: Reporter = SILENT,
) -> Outcome:
    """Bring a gallery up to date; the caller holds its lock.

    Args:
        place: the gallery's folder; need not exist.
        old: the gallery as it is; None for none, or to make it anew.
        folders: absolute paths to walk.
        embedder: the model; another one than before embeds everything again.
        engine: what shall search it, as typed.
        exclude: patterns of files and folders to leave out, see `walk`.
        max_pixels: larger pictures are left out.
        workers: reading threads, None for one a processor.

    Raises:
        MissingError: no photo was found; a gallery that is there stays as it was.
    """
    found = walk(folders, exclude)
    before = [] if old is None else old.entries()
    state = _State()
    _take_parts(place / embedder.record.key, old, state, report)
    # What was damaged is looked at again: it may be readable now, or allowed to be larger.
    for entry in before:
        if not entry.reason:
            state.entries.setdefault(entry.file, entry)
    state.entries = {f: e for f, e in state.entries.items() if e.reason or e.id in state.known}
    _add_unreachable(found, before)
    new = [file for file in found.files if file not in state.entries]
    done = len(state.known)
    reader = PhotoReader(embedder.record.size, state.known, max_pixels)
    with report.bar("indexing photos", len(found.files), len(found.files) - len(new)) as advance:
        _embed(place / embedder.record.key, new, embedder, reader, state, workers, advance)
    entries = [state.entries[file] for file in found.files]
    if not any(not entry.reason for entry in entries):
        where = ", ".join(map(display_path, folders))
        raise MissingError(
            f"There is no photo in {where}.",
            "Name a folder with JPEG, PNG or WebP files."
            if old is None
            else "The gallery stays as it was; `sbirctl galleries rm` removes it.",
        )
    gallery = _commit(place, folders, embedder, engine, entries, state, old, report)
    left = tuple(sorted([*found.left, *left_out(entries)]))
    write_left_out(place / LEFT_OUT, left)
    sweep(gallery)
    return Outcome(gallery, len(state.known) - done, left)


def _take_parts(folder: Path, old: Gallery | None, state: _State, report: Reporter) -> None:
    """Read the parts the manifest names, then those a stopped call left."""
    named = old.parts if old is not None and old.parts_folder == folder else ()
    there = {path.name: path for path in sorted(folder.glob("*.npz"))}
    parts: dict[str, Part] = {}
    for name in dict.fromkeys([*named, *there]):
        try:
            parts[name] = read_part(there.get(name, folder / name))
        except CorruptError as error:
            report.warn(f"{error.message} Its photos are embedded again.")
            (folder / name).unlink(missing_ok=True)

    def made(name: str) -> tuple[int, bytes]:  # one call makes parts in the order of their files
        return there[name].stat().st_mtime_ns, parts[name].entries[0].file.path

    left = sorted((name for name in parts if name not in named), key=made)
    for name in [*(name for name in named if name in parts), *left]:
        state.take(name, parts[name])
        if name in left:
            state.entries.update((entry.file, entry) for entry in parts[name].entries)


def _add_unreachable(found: Walk, before: Iterable[Entry]) -> None:
    """What lies below a folder that cannot be read now stays as it was."""
    if found.unreadable:
        here = {file.path for file in found.files}
        found.files += [
            entry.file
            for entry in before
            if entry.file.path not in here
            and any(below(entry.file.path, folder) for folder in found.unreadable)
        ]
        found.files.sort(key=lambda file: file.path)


def _embed(
    folder: Path,
    files: Sequence[File],
    embedder: Embedder,
    reader: PhotoReader,
    state: _State,
    workers: int | None,
    advance: Callable[[int], object],
) -> None:
    """Make the parts of new files."""
    from sbirctl.training.loader import read_ahead

    threads = (os.cpu_count() or 1) if workers is None else workers
    chunks = [
        files[start : start + _CHUNK]
        for part in range(0, len(files), PART)
        for start in range(part, min(part + PART, len(files)), _CHUNK)
    ]
    read = read_ahead(chunks, lambda chunk: [reader(file) for file in chunk], threads)
    stream = (one for chunk in read for one in chunk)
    for start in range(0, len(files), PART):
        mine = files[start : start + PART]
        part = _make_part(stream, len(mine), embedder, state, advance)
        name = part_name(mine)
        write_part(folder / name, part)
        state.take(name, part)
        state.entries.update((entry.file, entry) for entry in part.entries)


def _make_part(
    stream: Iterator[Read],
    count: int,
    embedder: Embedder,
    state: _State,
    advance: Callable[[int], object],
) -> Part:
    """Embed the new photos among the next `count` files."""
    entries: list[Entry] = []
    ids: dict[str, None] = {}
    waiting: list[np.ndarray] = []
    made: list[np.ndarray] = [np.empty((0, embedder.dim), dtype=np.float16)]

    def flush() -> None:
        made.append(embedder.embed(np.stack(waiting), "photo").astype(np.float16))
        waiting.clear()

    for _ in range(count):
        one = next(stream)
        entries.append(one.entry)
        digest = one.entry.id
        if one.pixels is not None and digest not in state.known and digest not in ids:
            ids[digest] = None
            waiting.append(one.pixels)
            if len(waiting) == BATCH:
                flush()
        advance(1)
    if waiting:
        flush()
    return Part(tuple(entries), tuple(ids), np.concatenate(made))


def _commit(
    place: Path,
    folders: Sequence[bytes],
    embedder: Embedder,
    engine: str,
    entries: Sequence[Entry],
    state: _State,
    old: Gallery | None,
    report: Reporter,
) -> Gallery:
    """Bring the engine up to date, then put the manifest into place."""
    ids, vectors = _sorted(state, {entry.id for entry in entries if not entry.reason})
    gallery = Gallery(
        place=place,
        record=embedder.record,
        dim=embedder.dim,
        folders=tuple(folders),
        engine=engine,
        engine_folder="",
        parts=tuple(state.parts),
        files=write_entries(place, entries),
        photos=len(ids),
    )
    gallery = replace(gallery, engine_folder=keep(gallery, old, entries, ids, vectors, report))
    write_gallery(gallery)
    return gallery


def _sorted(state: _State, wanted: set[str]) -> tuple[np.ndarray, np.ndarray]:
    """(n,) S64 ids in their order and (n, dim) float32 unit vectors of the photos wanted."""
    ids = np.array(state.ids, dtype=ID)
    rows = np.flatnonzero([name in wanted for name in state.ids])
    rows = rows[np.argsort(ids[rows], kind="stable")]
    return ids[rows], unit(np.concatenate(state.vectors)[rows])
