"""`gallery.sqlite`: its tables, and opening it after everything in it has been looked at.

A gallery may come from somebody else. So nothing in the file is believed before it is checked, no
name in it is ever made into a path of the gallery's own files, and places that are links are
refused. The rollback journal is kept, for write-ahead logs do not work on network disks.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sbirctl.core.errors import CorruptError, MissingError, SbirctlError
from sbirctl.core.files import disk_advice, display_path
from sbirctl.datasets.readers.tree import File

DATABASE = "gallery.sqlite"
LOCK = ".lock"
SCHEMA = 2
APPLICATION = 0x53424952  # "SBIR", in the file's header
DIGEST_BYTES = 32
_OLD_MANIFEST = "gallery.json"  # of schema 1
_WAIT = 20.0  # seconds for another process to finish its transaction
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")

_FILE_COLUMNS = """(
    path BLOB NOT NULL PRIMARY KEY CHECK (typeof(path) = 'blob'),
    size INTEGER NOT NULL CHECK (typeof(size) = 'integer'),
    time INTEGER NOT NULL CHECK (typeof(time) = 'integer'),
    id BLOB NOT NULL CHECK (typeof(id) = 'blob' AND length(id) IN (0, 32)),
    kind TEXT NOT NULL CHECK (typeof(kind) = 'text'),
    reason TEXT NOT NULL CHECK (typeof(reason) = 'text')
) WITHOUT ROWID"""
TABLES = (
    # one row, once it was indexed to the end; rows: of the model's vector file that are searched
    """CREATE TABLE gallery (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    state TEXT NOT NULL,
    engine TEXT NOT NULL,
    engine_state TEXT NOT NULL,
    model INTEGER NOT NULL REFERENCES models (id),
    rows INTEGER NOT NULL,
    photos INTEGER NOT NULL
)""",
    "CREATE TABLE folders (place INTEGER PRIMARY KEY, path BLOB NOT NULL)",
    "CREATE TABLE excluded (place INTEGER PRIMARY KEY, pattern BLOB NOT NULL)",
    # rows: of `vectors-<id>.f32` that count, whatever else the file holds
    """CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    record TEXT NOT NULL,
    dim INTEGER NOT NULL,
    rows INTEGER NOT NULL
)""",
    """CREATE TABLE photos (
    model INTEGER NOT NULL REFERENCES models (id),
    row INTEGER NOT NULL CHECK (typeof(row) = 'integer'),
    id BLOB NOT NULL CHECK (typeof(id) = 'blob' AND length(id) = 32),
    PRIMARY KEY (model, row)
) WITHOUT ROWID""",
    f"CREATE TABLE files {_FILE_COLUMNS}",
    "CREATE INDEX files_by_id ON files (id)",
    # what a call that is not done, or was stopped, has looked into
    f"CREATE TABLE progress {_FILE_COLUMNS}",
)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file that was looked into.

    Attributes:
        file: absolute path, bytes and modification time; equal ones are the same, unchanged file.
        id: SHA-256 of its bytes, hexadecimal; "" where it could not be read.
        kind: what it is counted as where it is left out, "" for a photo of the gallery.
        reason: why it is left out, "" for a photo of the gallery.
    """

    file: File
    id: str
    kind: str = ""
    reason: str = ""


def is_there(place: Path) -> bool:
    """Whether a gallery's folder has a database, or what galleries had before that."""
    return os.path.lexists(place / DATABASE) or (place / _OLD_MANIFEST).exists()


def connect(place: Path, *, write: bool = False) -> sqlite3.Connection:
    """Open the database in a gallery's folder, checked but for its rows.

    Args:
        place: the gallery's folder.
        write: also make one where there is none; the caller holds the gallery's lock.

    Raises:
        MissingError: there is none.
        CorruptError: it is damaged, of another schema, or a link.
        SbirctlError: the disk has no locks, or another process is changing it all the time.
    """
    path = place / DATABASE
    refuse_links(place, path, Path(f"{path}-journal"), Path(f"{path}-wal"), Path(f"{path}-shm"))
    if not path.exists():
        if (place / _OLD_MANIFEST).exists():
            raise _other_schema(place, 1)
        if not write:
            raise unfinished(place)
    journal = _check_journal(place, path)
    # A reader too may have to undo what a killed call had half written.
    address = f"file:{quote(os.fsencode(os.path.abspath(path)))}?mode={'rwc' if write else 'rw'}"
    if not write and _is_read_only(place):
        if journal:
            raise _half_written(place)
        address += "&immutable=1"  # nobody can change it, and no lock could be taken
    with explained(place):
        connection = sqlite3.connect(
            address, uri=True, timeout=_WAIT, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(f"PRAGMA query_only = {int(not write)}")
            _prepare(connection, place, write=write)
        except BaseException:
            connection.close()
            raise
    return connection


def refuse_links(*paths: Path) -> None:
    """Refuse places of the program that lead elsewhere, or are no files and folders.

    Raises:
        CorruptError: one does.
    """
    for path in paths:
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            what = "a link" if stat.S_ISLNK(mode) else "no regular file"
            raise CorruptError(
                f"{display_path(path)} is {what}, which is not followed.",
                "Remove it, or set SBIRCTL_HOME to where the galleries are.",
            )


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """SQLite's errors about a gallery in two lines.

    Raises:
        CorruptError: the database is damaged.
        SbirctlError: it cannot be locked, read or written.
    """
    try:
        with disk_advice(place / DATABASE):
            yield
    except sqlite3.Error as error:
        raise _explanation(place, error) from error
    except UnicodeDecodeError as error:
        raise damaged(place, error) from error


@contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool = False) -> Iterator[None]:
    """All of it, or nothing: for a reader one state, for a writer one change."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def damaged(place: Path, reason: object) -> CorruptError:
    """The error for a gallery whose database holds what it cannot hold."""
    return CorruptError(
        f"The gallery {display_path(place.name)} is damaged: {reason}.",
        "Name its folders again: `sbirctl index FOLDER --gallery NAME --fresh`.",
    )


def unfinished(place: Path) -> MissingError:
    """The error for a gallery whose first call was stopped."""
    return MissingError(
        f"The gallery {display_path(place.name)!r} is not indexed to the end.",
        "Type the same `sbirctl index …` again; it continues.",
    )


def record_of(row: tuple[Any, ...]) -> FileRecord:
    """A row of `files` or `progress`: path, size, time, id, kind, reason.

    Raises:
        ValueError: it is none.
    """
    path, size, time, name, kind, reason = row
    if (
        type(path) is not bytes
        or not os.path.isabs(path)
        or b"\0" in path
        or type(size) is not int
        or type(time) is not int
        or type(name) is not bytes
        or len(name) not in (0, DIGEST_BYTES)
        or type(kind) is not str
        or type(reason) is not str
    ):
        raise ValueError(f"a file's row is {row!r:.200}")
    return FileRecord(File(path, size, time), name.hex(), kind, reason)


def row_of(record: FileRecord) -> tuple[Any, ...]:
    """What `record_of` reads."""
    file = record.file
    name = bytes.fromhex(record.id)
    return file.path, file.size, file.stamp, name, record.kind, record.reason


def _prepare(connection: sqlite3.Connection, place: Path, *, write: bool) -> None:
    for setting in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
        connection.execute(f"PRAGMA {setting}")
    application, schema = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    )
    found = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    if write and not found and application == 0:
        with transaction(connection, write=True):
            for statement in TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
        return
    if not write and not found and application == 0:
        raise unfinished(place)
    if application != APPLICATION:
        raise damaged(place, f"{DATABASE} is no gallery's")
    if schema != SCHEMA:
        raise _other_schema(place, schema)
    if sorted(found, key=repr) != _expected():
        raise damaged(place, f"{DATABASE} has other tables than a gallery's")
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if mode == "wal":
        raise damaged(place, f"{DATABASE} keeps a write-ahead log, which galleries do not")
    if write:
        connection.execute("PRAGMA synchronous = FULL")
        said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if said != "ok":
            raise damaged(place, said)


@cache
def _expected() -> list[tuple[Any, ...]]:
    """The rows of `sqlite_master` that a gallery's database has, and no others."""
    with sqlite3.connect(":memory:") as connection:
        for statement in TABLES:
            connection.execute(statement)
        found = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    connection.close()
    return sorted(found, key=repr)


def _check_journal(place: Path, path: Path) -> bool:
    """Refuse a journal of several databases; gives whether there is one of this database.

    SQLite deletes the file that such a journal names, and a gallery never has one.
    """
    try:
        with open(f"{path}-journal", "rb") as stream:
            begin = stream.read(len(_JOURNAL_MAGIC))
            stream.seek(-len(_JOURNAL_MAGIC), os.SEEK_END)
            end = stream.read()
    except OSError:  # none, or shorter
        return False
    if end == _JOURNAL_MAGIC:
        raise damaged(place, f"{path.name}-journal names another file")
    return begin == _JOURNAL_MAGIC


def _is_read_only(place: Path) -> bool:
    try:
        return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    except (AttributeError, OSError):
        return False


def _explanation(place: Path, error: sqlite3.Error) -> SbirctlError:
    name = getattr(error, "sqlite_errorname", "")
    shown = display_path(place.name)
    if name.startswith("SQLITE_BUSY") and _has_locks(place):
        return SbirctlError(
            f"The gallery {shown} is being changed by another process.", "Wait for it, or stop it."
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_PROTOCOL", "SQLITE_NOLFS")) or "LOCK" in name:
        return SbirctlError(
            f"The disk that holds {display_path(place)} has no locks, or they fail.",
            "Keep galleries on a disk of this machine: set SBIRCTL_HOME.",
        )
    if name.startswith("SQLITE_FULL"):
        return SbirctlError(
            f"No space left while writing {display_path(place)}.",
            "Free some space, or set SBIRCTL_HOME to a larger disk; the same command continues.",
        )
    if name == "SQLITE_READONLY_ROLLBACK":
        return _half_written(place)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM")):
        return SbirctlError(
            f"The gallery {shown} cannot be read or written: {error}.",
            "Check the disk and the folder's permissions.",
        )
    return damaged(place, error)


def _half_written(place: Path) -> SbirctlError:
    return SbirctlError(
        f"A change of the gallery {display_path(place.name)} was stopped half way, "
        f"and {display_path(place)} cannot be written to.",
        "Make it writable once: the next command that reads the gallery undoes the change.",
    )


def _has_locks(place: Path) -> bool:
    try:
        import fcntl

        with open(place / LOCK, "rb") as stream:
            fcntl.lockf(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except ImportError:
        return True
    except OSError as error:
        return error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
    return True


def _other_schema(place: Path, schema: int) -> CorruptError:
    shown = display_path(place.name)
    if schema > SCHEMA:
        return CorruptError(
            f"The gallery {shown} has schema {schema}; this version reads {SCHEMA}.",
            "Install a newer sbirctl.",
        )
    return CorruptError(
        f"The gallery {shown} was made by an older sbirctl (schema {schema}, now {SCHEMA}).",
        "Name its folders again: `sbirctl index FOLDER --gallery NAME --fresh`.",
    )
