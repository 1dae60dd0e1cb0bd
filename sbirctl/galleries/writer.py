"""Changing a gallery: vectors are appended and synced, then the database says that they count.

A call that is stopped, however, leaves a database that is whole, with `progress` for the next call,
and at most some bytes of the vector file that do not count. What readers see changes in one
transaction at the end.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import disk_advice, display_path, lock, sync_folder
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.galleries.database import (
    DATABASE,
    LOCK,
    FileRecord,
    connect,
    damaged,
    explained,
    record_of,
    refuse_links,
    row_of,
    transaction,
)
from sbirctl.galleries.engines import ENGINE_FOLDER, ID, remove_engine
from sbirctl.galleries.gallery import map_vectors, vector_path
from sbirctl.galleries.model_record import ModelRecord

COMPACT = 4  # a vector file with more than one hole in so many rows is written anew
_HOLDER = ".writer"  # who holds the lock
_BLOCK = 1 << 13
_VECTORS = re.compile(r"vectors-([0-9]{1,18})\.f32")
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Hold the lock of a gallery's folder, which need not exist yet.

    Raises:
        SbirctlError: another process holds it.
        CorruptError: the folder, or the lock, is a link.
    """
    holder = place / _HOLDER
    refuse_links(place, place / LOCK, holder)
    name = display_path(place.name)
    try:
        who = f" (process {holder.read_text()[:80]})"
    except (OSError, ValueError):
        who = ""
    with lock(place / LOCK, busy=f"{name} is being indexed{display_path(who)}"):
        with suppress(OSError):  # it is only told to others
            holder.write_text(f"{os.getpid()} on {platform.node()}")
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)


def discard(place: Path) -> None:
    """Remove the files of a gallery, but no others and no links."""
    for path in list(place.iterdir()) if place.is_dir() else []:
        own = path.name in (DATABASE, f"{DATABASE}-journal", "gallery.json")
        if (own or _VECTORS.fullmatch(path.name)) and not path.is_symlink() and path.is_file():
            path.unlink()


class GalleryWriter:
    """A gallery that is being changed; the caller holds its lock.

    Attributes:
        before: the files it lists, sorted by path.
        progress: what a stopped call has looked into since.
        known: hexadecimal ids of all photos that have a vector of the model.
        is_new: whether it was never indexed to the end.
    """

    def __init__(
        self,
        place: Path,
        record: ModelRecord,
        dim: int,
        *,
        fresh: bool = False,
        report: Reporter = SILENT,
    ) -> None:
        """Open the gallery, or make it.

        Args:
            place: its folder.
            record: the model whose vectors are to be searched.
            dim: length of a vector.
            fresh: make all vectors anew.
            report: told of vectors that were lost.

        Raises:
            CorruptError: it is damaged, or of another schema.
        """
        with disk_advice(place):
            place.mkdir(parents=True, exist_ok=True)
        self._place = place
        self._record = record
        self._dim = dim
        self._stream: int | None = None
        self._connection = connect(place, write=True)
        with explained(place):
            self.before = self._records("files")
            found = self._connection.execute(
                "SELECT state, engine, engine_state, model FROM gallery"
            ).fetchone()
            self.is_new = found is None
            self._old = found or ("", "", "", 0)
            self._model = self._choose_model(fresh)
            self._rows = self._check_vectors(report)
            self.progress = self._records("progress")
            ids = self._connection.execute(
                "SELECT id FROM photos WHERE model = ?", (self._model,)
            ).fetchall()
        self.known = {name.hex() for (name,) in ids}

    def close(self) -> None:
        """Close the files."""
        if self._stream is not None:
            os.close(self._stream)
        self._connection.close()

    @property
    def engine(self) -> tuple[str, str]:
        """The engine as typed, and what names its folder, as they are; "" where there is none."""
        _, engine, state, model = self._old
        return (engine, state) if model == self._model else ("", "")

    def append(
        self, records: Sequence[FileRecord], ids: Sequence[str], vectors: np.ndarray
    ) -> None:
        """Keep what came of some files; once this returns, it is not lost.

        Args:
            records: the files.
            ids: of the photos first met among them.
            vectors: (len(ids), dim) float32 unit vectors.
        """
        rows = range(self._rows, self._rows + len(ids))
        with explained(self._place):
            if ids:
                self._write(vectors)
            with transaction(self._connection, write=True):
                self._insert("progress", records)
                self._connection.executemany(
                    "INSERT INTO photos VALUES (?, ?, ?)",
                    [(self._model, r, bytes.fromhex(i)) for r, i in zip(rows, ids, strict=True)],
                )
                self._connection.execute(
                    "UPDATE models SET rows = ? WHERE id = ?", (rows.stop, self._model)
                )
        self._rows = rows.stop
        self.known.update(ids)

    def listed(self, ids: set[str]) -> tuple[np.ndarray, np.ndarray]:
        """(n,) S64 sorted ids of some photos and their (n, dim) float32 vectors."""
        kept = [(row, name) for row, name in self._photos() if name.hex() in ids]
        names = np.array([name.hex() for _, name in kept], dtype=ID)
        order = np.argsort(names, kind="stable")
        vectors = map_vectors(vector_path(self._place, self._model), self._rows, self._dim)
        return names[order], vectors[np.array([row for row, _ in kept], dtype=np.int64)[order]]

    def finish(
        self,
        records: Sequence[FileRecord],
        folders: Sequence[bytes],
        exclude: Sequence[bytes],
        engine: str,
        engine_state: str,
    ) -> None:
        """Make the gallery list just these files; removes what is left of earlier states.

        Args:
            records: every file, sorted by path; their photos are all in `known`.
            folders: absolute paths that were walked.
            exclude: patterns of what was left out.
            engine: as typed.
            engine_state: what names the folder it was saved in, "" for none.
        """
        listed = {record.id for record in records if not record.kind}
        state = _state(self._record, engine, records)
        with explained(self._place):
            lists = {"folders": folders, "excluded": exclude}
            if not self._is_current(state, engine, engine_state, lists):
                compacted = self._compacted(listed)
                with transaction(self._connection, write=True):
                    self._replace_files(records)
                    if compacted is None:
                        self._forget_others(listed)
                    else:
                        self._replace_photos(*compacted)
                    self._describe(state, lists, engine, engine_state, len(listed))
                self.known &= listed
        self._sweep(engine_state)
        os.utime(self._place / DATABASE)  # galleries are listed by when they were indexed

    def _records(self, table: str) -> list[FileRecord]:
        columns = "path, size, time, id, kind, reason"
        found = self._connection.execute(f"SELECT {columns} FROM {table} ORDER BY path")
        try:
            return [record_of(row) for row in found]
        except ValueError as error:
            raise damaged(self._place, error) from error

    def _photos(self) -> list[tuple[int, bytes]]:
        found = self._connection.execute(
            "SELECT row, id FROM photos WHERE model = ? ORDER BY row", (self._model,)
        )
        return found.fetchall()

    def _choose_model(self, fresh: bool) -> int:
        """The number of the model: the one in use, that of a stopped call, or a new one."""
        there = self._connection.execute("SELECT id, key, dim FROM models").fetchall()
        current = self._old[3]
        with transaction(self._connection, write=True):
            if fresh:
                self._connection.execute("DELETE FROM progress")
                self._connection.execute("DELETE FROM photos WHERE model != ?", (current,))
                self._connection.execute("DELETE FROM models WHERE id != ?", (current,))
            same = [i for i, key, dim in there if (key, dim) == (self._record.key, self._dim)]
            if same and not fresh:
                return current if current in same else max(same)
            made = max((i for i, *_ in there), default=0) + 1
            self._new_model(made, 0)
        with suppress(FileNotFoundError):  # left by a call that was stopped
            vector_path(self._place, made).unlink()
        return made

    def _new_model(self, number: int, rows: int) -> None:
        self._connection.execute(
            "INSERT INTO models VALUES (?, ?, ?, ?, ?)",
            (number, self._record.key, self._record.to_json(), self._dim, rows),
        )

    def _check_vectors(self, report: Reporter) -> int:
        """How many rows of the vector file count; photos of lost ones are forgotten."""
        (rows,) = self._connection.execute(
            "SELECT rows FROM models WHERE id = ?", (self._model,)
        ).fetchone()
        try:
            map_vectors(vector_path(self._place, self._model), rows, self._dim)
        except CorruptError as error:
            path = vector_path(self._place, self._model)
            if path.is_symlink():
                raise
            report.warn(f"{error.message} Photos whose vectors are lost are embedded again.")
            size = path.stat().st_size if path.is_file() else 0
            rows = min(rows, size // (4 * self._dim))
            with transaction(self._connection, write=True):
                self._connection.execute(
                    "DELETE FROM photos WHERE model = ? AND row >= ?", (self._model, rows)
                )
                self._connection.execute(
                    "UPDATE models SET rows = ? WHERE id = ?", (rows, self._model)
                )
        return int(rows)

    def _write(self, vectors: np.ndarray) -> None:
        """Append to the vector file and sync it; what does not count is cut off first."""
        if self._stream is None:
            path = vector_path(self._place, self._model)
            refuse_links(path)
            self._stream = os.open(path, _OPEN, 0o666)
            os.ftruncate(self._stream, 4 * self._rows * self._dim)
            os.lseek(self._stream, 0, os.SEEK_END)
            sync_folder(self._place)
        _write_all(self._stream, vectors)
        os.fsync(self._stream)

    def _compacted(self, listed: set[str]) -> tuple[int, list[bytes]] | None:
        """Number and ids of a new vector file without holes; None where few are."""
        if COMPACT * (self._rows - len(listed)) <= self._rows:
            return None
        kept = [(row, name) for row, name in self._photos() if name.hex() in listed]
        (number,) = self._connection.execute("SELECT max(id) + 1 FROM models").fetchone()
        old = map_vectors(vector_path(self._place, self._model), self._rows, self._dim)
        path = vector_path(self._place, number)
        refuse_links(path)
        path.unlink(missing_ok=True)
        stream = os.open(path, _OPEN | os.O_EXCL, 0o666)
        try:
            rows = np.array([row for row, _ in kept], dtype=np.int64)
            for start in range(0, len(rows), _BLOCK):
                _write_all(stream, old[rows[start : start + _BLOCK]])
            os.fsync(stream)
        finally:
            os.close(stream)
        sync_folder(self._place)
        return number, [name for _, name in kept]

    def _forget_others(self, listed: set[str]) -> None:
        gone = [(self._model, row) for row, name in self._photos() if name.hex() not in listed]
        self._connection.executemany("DELETE FROM photos WHERE model = ? AND row = ?", gone)

    def _replace_photos(self, number: int, names: Sequence[bytes]) -> None:
        self._new_model(number, len(names))
        self._connection.executemany(
            "INSERT INTO photos VALUES (?, ?, ?)",
            ((number, row, name) for row, name in enumerate(names)),
        )
        self._model, self._rows = number, len(names)

    def _replace_files(self, records: Sequence[FileRecord]) -> None:
        before = {record.file.path: record for record in self.before}
        changed = [record for record in records if before.pop(record.file.path, None) != record]
        self._connection.executemany(
            "DELETE FROM files WHERE path = ?", [(path,) for path in before]
        )
        self._insert("files", changed)
        self._connection.execute("DELETE FROM progress")

    def _insert(self, table: str, records: Iterable[FileRecord]) -> None:
        self._connection.executemany(
            f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?, ?)", map(row_of, records)
        )

    def _describe(
        self,
        state: str,
        lists: Mapping[str, Sequence[bytes]],
        engine: str,
        engine_state: str,
        photos: int,
    ) -> None:
        run = self._connection.execute
        run("DELETE FROM photos WHERE model != ?", (self._model,))
        run("DELETE FROM models WHERE id != ?", (self._model,))
        run("UPDATE models SET record = ?", (self._record.to_json(),))
        for table, values in lists.items():
            run(f"DELETE FROM {table}")
            self._connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", enumerate(values))
        one = (1, state, engine, engine_state, self._model, self._rows, photos)
        run("INSERT OR REPLACE INTO gallery VALUES (?, ?, ?, ?, ?, ?, ?)", one)

    def _is_current(
        self, state: str, engine: str, engine_state: str, lists: Mapping[str, Sequence[bytes]]
    ) -> bool:
        """Whether the database says all that already."""
        run = self._connection.execute
        return (
            self._old == (state, engine, engine_state, self._model)
            and run("SELECT count(*) FROM models").fetchone() == (1,)
            and run("SELECT count(*) FROM progress").fetchone() == (0,)
            and run("SELECT rows FROM gallery").fetchone() == (self._rows,)
            and all(
                run(f"SELECT * FROM {table} ORDER BY place").fetchall() == list(enumerate(values))
                for table, values in lists.items()
            )
        )

    def _sweep(self, engine_state: str) -> None:
        """Remove vectors and engines of earlier states, by the names that only galleries give."""
        for path in self._place.iterdir():
            vectors = _VECTORS.fullmatch(path.name)
            engine = ENGINE_FOLDER.fullmatch(path.name)
            if path.is_symlink():
                continue
            if vectors and path.is_file() and path != vector_path(self._place, self._model):
                path.unlink()
            elif engine and path.is_dir() and path.name != f"engine-{engine_state}":
                remove_engine(path)


def _write_all(stream: int, vectors: np.ndarray) -> None:
    data = memoryview(np.ascontiguousarray(vectors, dtype="<f4").reshape(-1).view(np.uint8).data)
    while data:
        data = data[os.write(stream, data) :]


def _state(record: ModelRecord, engine: str, records: Iterable[FileRecord]) -> str:
    """16 hexadecimal digits of all that a gallery holds."""
    total = hashlib.sha256(f"{record.to_json()}\n{engine}\n".encode())
    for one in records:
        file = one.file
        facts = f"{len(file.path)} {file.size} {file.stamp} {one.id} {one.kind}\n{one.reason}\n"
        total.update(file.path + facts.encode("utf-8", "surrogateescape"))
    return total.hexdigest()[:16]
