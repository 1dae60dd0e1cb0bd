"""Files that are either whole or not there: atomic writing, digests, locks."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from sbirctl.core.errors import CorruptError, MissingError, SbirctlError, UsageError

_BLOCK = 1 << 20
_UNFINISHED = ".unfinished"  # ends the names of files that are being written
_FORGOTTEN = 24 * 3600  # seconds
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SHORTAGE = (errno.EMFILE, errno.ENFILE)
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
# HDF5 and safetensors tell the system's number in words alone.
_NUMBER = re.compile(r"(?:errno = |os error )(\d+)")
_NOT_CLOSED = "slist already enabled"  # HDF5, where an earlier write of its metadata failed


@contextmanager
def atomic_path(target: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path beside `target`; on leaving it is synced and renamed into place.

    On any error the temporary file is removed and an earlier `target` stays as it was. What a kill
    leaves is removed by a call that writes into that folder a day later.

    Args:
        target: the file to be.
        durable: sync it. Without, a reader must bear a file that is empty or cut, as it can be
            when the whole system stops.

    Raises:
        UsageError: `target` is a folder.
        SbirctlError: the disk is full or the folder cannot be written, with advice.
    """
    if target.is_dir():
        raise UsageError(f"{display_path(target)} is a folder.", "Name a file in it.")
    # cut, for a name may have 255 bytes, four a letter
    temporary = target.with_name(f".{target.name[:40]}.{os.urandom(8).hex()}{_UNFINISHED}")
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _drop_forgotten(target.parent)
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            raise _disk_error(error, target) from error
        with disk_advice(target):
            yield temporary
            move_into_place(temporary, target, durable=durable)
    finally:
        with suppress(OSError):  # it is in place, or was never made
            temporary.unlink()


@cache  # once a process
def _drop_forgotten(folder: Path) -> None:
    """Remove what killed calls left half-written in a folder."""
    for path in forgotten(folder.glob(f".*{_UNFINISHED}")):
        with suppress(OSError):  # another call removes it, or it stays
            path.unlink()


def forgotten(paths: Iterable[Path]) -> list[Path]:
    """Those of the files that killed calls left half-written: nobody wrote to them for a day."""
    found = []
    for path in paths:
        with suppress(OSError):  # removed meanwhile
            old = path.lstat().st_mtime < time.time() - _FORGOTTEN
            if old and path.name.startswith(".") and path.name.endswith(_UNFINISHED):
                found.append(path)
    return found


def untouched(folder: Path) -> bool:
    """Whether nobody wrote into a folder, or below it, for a day."""
    with suppress(OSError):  # removed meanwhile
        newest = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
        return newest < time.time() - _FORGOTTEN
    return False


def move_into_place(whole: Path, target: Path, *, durable: bool = True) -> None:
    """Rename a finished file of the same folder or disk to `target`, synced unless told not to."""
    if durable:
        with open(whole, "r+b") as stream:
            os.fsync(stream.fileno())
    os.replace(whole, target)
    if durable:
        sync_folder(target.parent)


@contextmanager
def disk_advice(target: Path) -> Iterator[None]:
    """Says what to do where writing finds the disk, a quota or the largest file size full, and what
    the system said where a library tells it in words alone.

    Raises:
        SbirctlError: it is full, or could not be written.
    """
    try:
        yield
    except SbirctlError:
        raise
    except Exception as error:
        said = no_space(error, target) or _told(error, target)
        if said is None:
            raise
        raise said from error


@contextmanager
def atomic_open(target: Path, mode: str = "wb", *, durable: bool = True) -> Iterator[IO[Any]]:
    """Like `open(target, mode)` for writing, but atomic (see `atomic_path`)."""
    # Names that are no UTF-8 come as lone surrogates: \udce9 in the file, as JSON writes them, too.
    how = {} if "b" in mode else {"encoding": "utf-8", "errors": "backslashreplace"}
    with (
        atomic_path(target, durable=durable) as temporary,
        open(temporary, mode, **how) as stream,  # type: ignore[call-overload]
    ):
        yield stream


def write_json(target: Path, value: object, *, indent: int | None = 1) -> None:
    """Write `value` as UTF-8 JSON, atomically, keys in the order given."""
    with atomic_open(target, "w") as stream:
        json.dump(value, stream, ensure_ascii=False, indent=indent, allow_nan=False)
        stream.write("\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        MissingError: there is no such file.
        CorruptError: it is not JSON, or no file.
        SbirctlError: it cannot be read.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for
            raise CorruptError(f"{display_path(path)} is no regular file.")
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingError(f"There is no file {display_path(path)}.") from error
    except IsADirectoryError as error:
        raise CorruptError(f"{display_path(path)} is a folder, not a JSON file.") from error
    except OSError as error:
        raise SbirctlError(
            f"{display_path(path)} cannot be read: {error.strerror or error}.",
            "Check the file's permissions.",
        ) from error
    except RecursionError as error:
        raise CorruptError(f"{display_path(path)} is nested too deeply to be read.") from error
    except ValueError as error:
        raise CorruptError(f"{display_path(path)} is not valid JSON: {error}.") from error


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    total = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            total.update(block)
    return total.hexdigest()


def digest_bytes(data: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_json(value: object) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no blanks), in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return digest_bytes(text.encode())


def disk_size(place: Path) -> int:
    """Bytes of a file, or of everything below a folder; links count as themselves."""
    if place.is_symlink() or not place.is_dir():
        return place.lstat().st_size
    total = 0
    for path in place.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:  # removed meanwhile
            continue
    return total


@contextmanager
def lock(path: Path, *, busy: str, wait: Callable[[str], object] | None = None) -> Iterator[None]:
    """Hold an inter-process lock; freed by the system if the process dies.

    A folder that is made for the lock is removed where a failed call leaves nothing else in it.

    Args:
        path: the lock file (kept).
        busy: what to say when another process holds it ("sketchy is being prepared").
        wait: is told so, and it is waited for, instead.

    Raises:
        SbirctlError: another process holds the lock.
    """
    import filelock

    made = not path.parent.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = filelock.FileLock(path, fallback_to_soft=False)  # a kill would leave a soft one
        try:
            held.acquire(timeout=0)
        except filelock.Timeout as error:
            told = f"{busy} by another process."
            if wait is None:
                raise SbirctlError(told, "Wait for it, or stop it.") from error
            wait(f"{told} Waiting for it.")
            held.acquire()
    except OSError as error:
        raise _disk_error(error, path) from error
    try:
        yield
    except BaseException:
        with suppress(OSError):
            if made and os.listdir(path.parent) == [path.name]:
                path.unlink()
                path.parent.rmdir()
        raise
    finally:
        held.release()


def announce_reading(path: Path) -> None:
    """Tell audit hooks, as `-v` has one, of a file that a library opens without Python's `open`."""
    sys.audit("open", str(path), "r", 0)


def display_path(path: Path | str | bytes) -> str:
    """A path as text a terminal can show: bytes that are no UTF-8 and control signs escaped."""
    text = os.fsdecode(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def human_bytes(count: float) -> str:
    """A size for people: 12.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def sync_folder(folder: Path) -> None:
    """Return when what was made, renamed and removed in a folder is so on the disk."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refuse_shortage(error: BaseException) -> None:
    """Raise an error again that says nothing of the file, only that too many are open.

    Args:
        error: what reading a file ended with.

    Raises:
        OSError: it is such an error, of the system or of a library that tells it in words.
    """
    number = _number(error)
    if number in _SHORTAGE:
        raise OSError(number, os.strerror(number)) from error


def _number(error: BaseException) -> int | None:
    """The system's number of an error, also where a library tells it in words alone, or raises an
    error of its own while it handles the system's.
    """
    for one in (error, error.__context__):
        number: int | None = getattr(one, "errno", None)
        if number is None and (told := _NUMBER.search(str(one))):
            number = int(told[1])
        if number is not None:
            return number
    return None


def no_space(error: Exception, target: Path) -> SbirctlError | None:
    """What to say where an error means that no more can be written; None where it does not."""
    number = _number(error)
    if number in _FULL:
        return SbirctlError(
            f"No space left while writing {display_path(target)}.",
            "Free some space, or set SBIRCTL_HOME to a larger disk; the same command continues.",
        )
    if number == errno.EFBIG:
        return SbirctlError(
            f"{display_path(target)} is larger than the disk or `ulimit -f` allows for one file.",
            "Raise the limit, or set SBIRCTL_HOME to a disk that takes large files (not FAT32).",
        )
    return None


def _told(error: Exception, target: Path) -> SbirctlError | None:
    """What to say where a library tells of an error of the system; None where it does not."""
    number = None if getattr(error, "errno", None) else _number(error)
    if number in _SHORTAGE:
        return None
    if number is not None:
        reason = os.strerror(number)
    elif _NOT_CLOSED in str(error):
        reason = "the system refused it while the file was closed"
    else:
        return None
    return SbirctlError(
        f"Cannot write {display_path(target)}: {reason}.",
        "Check the disk; the same command continues.",
    )


def _disk_error(error: OSError, target: Path) -> SbirctlError:
    if full := no_space(error, target):
        return full
    if error.errno in _NO_LOCKS:
        return SbirctlError(
            f"Cannot lock {display_path(target)}: {error.strerror or error}.",
            "Set SBIRCTL_HOME to a folder on a disk that has file locks.",
        )
    return SbirctlError(
        f"Cannot write {display_path(target)}: {error.strerror or error}.",
        "Check the folder's permissions, or choose another place.",
    )
