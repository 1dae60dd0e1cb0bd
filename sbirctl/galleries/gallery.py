"""A gallery on disk, and which galleries there are.

`<home>/galleries/<name>/` holds `gallery.sqlite`, `vectors-<id>.f32` (little-endian float32 rows in
the order they were made, of which only as many count as the database says), `engine-<state>/` where
an engine keeps files of its own, and `left-out.tsv`.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.errors import CorruptError, MissingError, SbirctlError, UsageError, nearest
from sbirctl.core.files import display_path, refuse_shortage
from sbirctl.core.home import galleries_dir, is_short
from sbirctl.datasets.readers.tree import File
from sbirctl.galleries.database import (
    DATABASE,
    DIGEST_BYTES,
    FileRecord,
    connect,
    damaged,
    explained,
    record_of,
    refuse_links,
    transaction,
    unfinished,
)
from sbirctl.galleries.model_record import ModelRecord

LEFT_OUT = "left-out.tsv"
_COLUMNS = "path, size, time, id, kind, reason"
_STATE = re.compile(r"[0-9a-f]{16}")
_MOST_DIM = 1 << 16
_ASKED = 500  # ids of one query, below SQLite's bound on variables


@dataclass(frozen=True)
class GalleryInfo:
    """A gallery in a few words.

    Attributes:
        name: folder below `<home>/galleries`, or the address of a remote one.
        photos: different ones.
        model: run or model that made the vectors.
        dim: length of a vector.
        engine: as typed: "exact", "faiss:hnsw", "qdrant://…".
        damaged: why it cannot be opened, "" where it can; the rest is empty then.
        model_key: equal where scores of two galleries can be compared.
    """

    name: str
    photos: int
    model: str
    dim: int
    engine: str
    damaged: str = ""
    model_key: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The galleries it stands for."""
        return (self.name,)

    @property
    def renewal(self) -> str:
        """What to type, and where, to bring it up to date."""
        if "://" in self.name:
            return "`sbirctl index` on the machine that made it"
        return f"`sbirctl index --gallery {self.name}`"


class Gallery:
    """An open gallery, in the state it had when it was opened; safe among threads.

    Attributes:
        place: the gallery's folder.
        info: in a few words.
        record: the model.
        folders: absolute paths that were walked, or of files, as bytes.
        exclude: patterns of files and folders that were left out.
        state: changes with what the gallery holds.
        engine_state: names the folder an engine was saved in; "" where there is none.
        vectors: (rows, dim) float32 unit vectors, mapped from the file; `photo_ids` says whose.
    """

    def __init__(
        self, place: Path, connection: sqlite3.Connection, *, with_vectors: bool = True
    ) -> None:
        """Use `open`."""
        self.place = place
        self._connection = connection
        self._lock = threading.Lock()
        self._inode = _inode(place)
        with explained(place), transaction(connection):
            self._read(with_vectors)

    @classmethod
    def open(cls, place: Path, *, with_vectors: bool = True) -> Gallery:
        """The gallery in a folder.

        Args:
            place: the folder.
            with_vectors: map the vectors too, which may be damaged; without, there are none.

        Raises:
            MissingError: there is none, or it is not indexed to the end.
            CorruptError: it is damaged, or of another schema.
            SbirctlError: it cannot be read just now.
        """
        connection = connect(place)
        try:
            return cls(place, connection, with_vectors=with_vectors)
        except BaseException:
            connection.close()
            raise

    def _read(self, with_vectors: bool) -> None:
        columns = "state, engine, engine_state, model, rows, photos"
        found = self._connection.execute(f"SELECT {columns} FROM gallery").fetchone()
        if found is None:
            raise unfinished(self.place)
        try:
            self.state, engine, self.engine_state, self._model, rows, photos = _typed(
                found, str, str, str, int, int, int
            )
            if not all(_STATE.fullmatch(s) for s in (self.state, self.engine_state or "0" * 16)):
                raise ValueError("a state that is none")
            model = self._connection.execute(
                "SELECT key, record, dim, rows FROM models WHERE id = ?", (self._model,)
            ).fetchone()
            key, record, dim, made = _typed(model or (), str, str, int, int)
            self.record = ModelRecord.from_json(record)
            if self.record.key != key or not 0 < dim <= _MOST_DIM or not 0 <= rows <= made:
                raise ValueError(f"{rows} of {made} vectors of {dim} numbers")
            self.folders = self._texts("SELECT path FROM folders ORDER BY place")
            self.exclude = self._texts("SELECT pattern FROM excluded ORDER BY place")
        except ValueError as error:
            raise damaged(self.place, error) from error
        path = vector_path(self.place, self._model)
        self.vectors = map_vectors(path, rows if with_vectors else 0, dim)
        self.info = GalleryInfo(
            self.place.name,
            photos,
            self.record.label,
            dim,
            engine,
            model_key=self.record.comparable,
        )

    def _texts(self, query: str) -> tuple[bytes, ...]:
        return tuple(_typed(row, bytes)[0] for row in self._connection.execute(query))

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.info.dim

    @property
    def engine(self) -> str:
        """As typed."""
        return self.info.engine

    @property
    def engine_folder(self) -> Path:
        """Where an engine with files of its own keeps them."""
        return self.place / f"engine-{self.engine_state}"

    def photo_ids(self) -> np.ndarray:
        """(rows,) S64: whose vectors the rows hold; b"" for those of removed photos.

        Raises:
            CorruptError: the gallery is damaged, or another one by now.
        """
        with self._lock, explained(self.place), transaction(self._connection):
            now = self._connection.execute("SELECT state FROM gallery").fetchone()
            if now != (self.state,):
                raise damaged(self.place, "it was changed while it was read")
            found = self._connection.execute(
                "SELECT row, id FROM photos WHERE model = ? AND row BETWEEN 0 AND ?",
                (self._model, len(self.vectors) - 1),
            ).fetchall()
        try:
            return _by_row(found, len(self.vectors))
        except (TypeError, ValueError) as error:
            raise damaged(self.place, error) from error

    def files(self, ids: Sequence[str]) -> dict[str, tuple[File, ...]]:
        """The files of some photos by hexadecimal id, sorted by path; unknown ids are left out."""
        found: dict[str, list[File]] = {}
        for start in range(0, len(ids), _ASKED):
            asked = [bytes.fromhex(name) for name in ids[start : start + _ASKED]]
            marks = ",".join("?" * len(asked))
            for record in self._records(
                f"SELECT {_COLUMNS} FROM files WHERE id IN ({marks}) AND kind = '' ORDER BY path",
                asked,
            ):
                found.setdefault(record.id, []).append(record.file)
        return {name: tuple(files) for name, files in found.items()}

    def ids_below(self, folders: Sequence[bytes]) -> np.ndarray:
        """(n,) S64: the photos with a file below any of some absolute folders, sorted."""
        found: set[str] = set()
        for folder in folders:
            start = folder.rstrip(b"/") + b"/"
            end = start[:-1] + b"0"  # the sign after "/"
            with self._lock, explained(self.place):
                rows = self._connection.execute(
                    "SELECT id FROM files WHERE kind = '' AND path >= ? AND path < ?", (start, end)
                ).fetchall()
            found.update(name.hex() for (name,) in rows if type(name) is bytes)
        return np.array(sorted(found), dtype=f"S{2 * DIGEST_BYTES}")

    def sub_folders(self) -> tuple[bytes, ...]:
        """The folders that hold its photos, and those between them and the walked ones, sorted."""
        with self._lock, explained(self.place):
            rows = self._connection.execute("SELECT path FROM files WHERE kind = ''").fetchall()
        paths = {path for (path,) in rows if type(path) is bytes}
        named = set(self.folders)
        tops = named | {os.path.dirname(path) for path in named & paths}
        found: set[bytes] = set()
        for path in paths:
            climbed = [os.path.dirname(path)]
            while climbed[-1] not in found and climbed[-1] != os.path.dirname(climbed[-1]):
                climbed.append(os.path.dirname(climbed[-1]))
            outermost = max(
                (i for i, f in enumerate(climbed) if f in tops or f in found), default=-1
            )
            found.update(climbed[: outermost + 1])
        return tuple(sorted(found))

    def records(self) -> list[FileRecord]:
        """Every file that was looked into, sorted by path."""
        return self._records(f"SELECT {_COLUMNS} FROM files ORDER BY path", [])

    def _records(self, query: str, values: Sequence[Any]) -> list[FileRecord]:
        with self._lock, explained(self.place):
            found = self._connection.execute(query, values).fetchall()
        try:
            return [record_of(row) for row in found]
        except ValueError as error:
            raise damaged(self.place, error) from error

    def changed(self) -> bool:
        """Whether the gallery holds something else by now, or is gone."""
        if _inode(self.place) != self._inode:
            return True
        try:
            with self._lock, explained(self.place):
                found = self._connection.execute("SELECT state FROM gallery").fetchone()
        except SbirctlError:
            return True
        return bool(found != (self.state,))

    def close(self) -> None:
        """Close the database; the vectors stay mapped."""
        self._connection.close()

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()


def vector_path(place: Path, model: int) -> Path:
    """The file with the vectors of a model, by the number the database has for it."""
    return place / f"vectors-{model:d}.f32"


def map_vectors(path: Path, rows: int, dim: int) -> np.ndarray:
    """(rows, dim) float32, mapped; what the file holds beyond is not looked at.

    Raises:
        CorruptError: it is shorter, gone, or a link.
    """
    refuse_links(path)
    if not rows:
        return np.empty((0, dim), dtype="<f4")
    try:
        return np.memmap(path, dtype="<f4", mode="r", shape=(rows, dim)).view(np.ndarray)
    except (OSError, ValueError) as error:
        refuse_shortage(error)
        raise CorruptError(
            f"The vectors in {display_path(path)} are damaged: {error}.",
            "Make those that are lost again: `sbirctl index --gallery NAME`.",
        ) from error


def list_galleries(home: Path | None = None) -> list[GalleryInfo]:
    """All galleries, the one indexed last first; damaged ones say why.

    Args:
        home: instead of the home folder.
    """
    found = []
    for place in _places(home):
        try:
            with closing(Gallery.open(place)) as gallery:
                found.append(gallery.info)
        except MissingError:  # not indexed to the end, or removed just now
            continue
        except SbirctlError as error:
            found.append(GalleryInfo(place.name, 0, "", 0, "", error.message))
    return found


def find_gallery(name: str | None) -> Gallery:
    """A gallery by name; None for the one indexed last.

    Raises:
        MissingError: there is none, or none of that name.
        CorruptError: it is damaged.
    """
    if name is None:
        known = list_galleries()
        if not known:
            raise MissingError(
                f"There is no gallery in {display_path(galleries_dir())}.",
                "Type `sbirctl index FOLDER` with a folder of photos.",
            )
        name = known[0].name
    check_name(name)
    place = galleries_dir() / name
    refuse_links(place)
    if not place.is_dir():
        known = list_galleries()
        raise MissingError(
            f"There is no gallery {name!r}.",
            f"Type `sbirctl index FOLDER --gallery {name}`. "
            f"{nearest(name, [k.name for k in known])}",
        )
    return Gallery.open(place)


def check_name(name: str) -> None:
    """Refuse a name that is no plain folder name.

    Raises:
        UsageError: it is none.
    """
    shown = display_path(name) == name  # else it holds control signs or what is no UTF-8
    wrong = not name or name.startswith(".") or "/" in name or os.sep in name or not shown
    if wrong or not is_short(name):
        raise UsageError(
            f"{name[:99]!r} cannot name a gallery.", "Take a plain, short word: --gallery photos."
        )


def _places(home: Path | None) -> list[Path]:
    root = galleries_dir() if home is None else home / "galleries"
    found = []
    try:
        names = os.listdir(root)
    except OSError:
        return []
    for name in names:
        times = []
        for file in (DATABASE, "gallery.json"):  # the latter of an older schema
            try:
                times.append(os.lstat(root / name / file).st_mtime_ns)
            except OSError:  # none, or removed just now
                continue
        if times and not name.startswith("."):
            found.append((times[0], root / name))
    return [place for _, place in sorted(found, reverse=True)]


def _by_row(found: Sequence[tuple[int, bytes]], count: int) -> np.ndarray:
    """(count,) S64 of (row, id) pairs, b"" for other rows."""
    ids = np.zeros(count, dtype=f"S{2 * DIGEST_BYTES}")
    rows, names = zip(*found, strict=True) if found else ((), ())
    text = b"".join(names).hex().encode()
    if set(map(len, names)) - {DIGEST_BYTES}:
        raise ValueError("an id that is none")
    ids[np.array(rows, dtype=np.int64)] = np.frombuffer(text, dtype=ids.dtype)
    return ids


def _inode(place: Path) -> tuple[int, int] | None:
    try:
        facts = os.lstat(place / DATABASE)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _typed(values: Sequence[Any], *types: type) -> list[Any]:
    if [type(value) for value in values] != list(types):
        raise ValueError(f"a row is {tuple(values)!r:.200}")
    return list(values)
