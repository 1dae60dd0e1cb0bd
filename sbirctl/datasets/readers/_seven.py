"""Unpacking .7z archives through py7zr, which hands every member to a writer of ours."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import py7zr
from py7zr.io import Py7zIO, WriterFactory

from sbirctl.core.bounded import BoundedProcesses, Bounds, OutOfBoundsError
from sbirctl.core.errors import CorruptError, SbirctlError
from sbirctl.core.files import display_path
from sbirctl.datasets.readers._unpack import Unpacker

HEADER_BOUNDS = Bounds(seconds=30, memory=10**9)


def unseven(path: Path, unpacker: Unpacker) -> None:
    """Unpack a 7z archive; a damaged member, and what is packed together with it, costs itself.

    Raises:
        ValueError: nothing of it can be read.
        SbirctlError: it grows beyond all reason, or there is no space.
    """
    try:
        _unseven(path, unpacker)
    except (OSError, SbirctlError) as error:
        if not isinstance(error, OSError) or error.errno is not None:
            raise
        raise ValueError(str(error)) from error
    except Exception as error:  # py7zr's decompressors raise anything
        raise ValueError(str(error) or type(error).__name__) from error


def _check_header(path: Path) -> None:
    """Refuse a list of members that claims more than the memory, or takes minutes to unpack.

    Raises:
        CorruptError: it does.
    """
    processes = BoundedProcesses(HEADER_BOUNDS, module=__name__)
    try:
        processes.run(_list_members, path)
    except OutOfBoundsError as error:
        raise CorruptError(
            f"The list of members of {display_path(path)} is a trap or damaged: {error.message}.",
            "Unpack it by hand if it can be trusted.",
        ) from error
    finally:
        processes.close()


def _list_members(path: Path) -> int:
    try:
        with py7zr.SevenZipFile(path) as archive:
            return len(archive.files)
    except MemoryError:
        raise
    except Exception:  # said when it is unpacked
        return 0


def _unseven(path: Path, unpacker: Unpacker) -> None:
    _check_header(path)
    wanted: dict[str, Any] = {}
    with py7zr.SevenZipFile(path) as archive:
        unpacker.count(len(archive.files))
        for member in archive.files:
            if member.is_directory:
                continue
            if member.is_symlink or member.is_junction or member.is_socket:
                unpacker.left["link or device"] += 1
            elif unpacker.admit(_name(member.filename), member.uncompressed):
                wanted[member.filename] = member
        factory = _Factory(unpacker)
        try:
            archive.extract(targets=list(wanted), factory=factory)
        except Exception as error:
            if isinstance(error, SbirctlError) or getattr(error, "errno", None) is not None:
                raise
            if not _part(wanted, factory, unpacker):
                raise


def _part(wanted: dict[str, Any], factory: _Factory, unpacker: Unpacker) -> bool:
    """Keep the members that came out whole and note the others; whether there are any."""
    whole = False
    for filename, member in wanted.items():
        name = _name(filename)
        size, crc = unpacker.sizes.get(name, -1), factory.sums.get(name, 0)
        if size != member.uncompressed or member.crc32 not in (None, crc):
            unpacker.damaged(name, member.uncompressed)
        else:
            whole = True
    return whole


def _name(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape").lstrip(b"/")


class _Factory(WriterFactory):  # type: ignore[misc]
    """Makes the writers.

    Attributes:
        sums: CRC-32 of what was written to each member.
    """

    def __init__(self, unpacker: Unpacker) -> None:
        self._unpacker = unpacker
        self.sums: dict[bytes, int] = {}

    def create(self, filename: str) -> Py7zIO:
        return _Writer(self._unpacker, _name(filename), self.sums)


class _Writer(Py7zIO):  # type: ignore[misc]
    """Streams one member to disk. py7zr writes it in order and asks for nothing back."""

    def __init__(self, unpacker: Unpacker, name: bytes, sums: dict[bytes, int]) -> None:
        self._unpacker, self._name, self._sums = unpacker, name, sums
        self._stream = unpacker.create(name)

    def write(self, s: bytes | bytearray) -> int:
        self._unpacker.write(self._stream, self._name, bytes(s))
        self._sums[self._name] = zlib.crc32(s, self._sums.get(self._name, 0))
        return len(s)

    def read(self, size: int | None = None) -> bytes:
        raise OSError("members are written only")

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def flush(self) -> None:
        self._stream.flush()

    def size(self) -> int:
        return self._unpacker.sizes[self._name]

    def close(self) -> None:
        self._stream.close()
