"""Unpacking .7z archives through py7zr, which hands every member to a writer of ours."""

from __future__ import annotations

from pathlib import Path

import py7zr
from py7zr.io import Py7zIO, WriterFactory

from sbirctl.datasets.readers._unpack import Unpacker

DAMAGE = (py7zr.exceptions.ArchiveError, py7zr.PasswordRequired)


def unseven(path: Path, unpacker: Unpacker) -> None:
    """Unpack a 7z archive.

    Raises:
        Exception: one of `DAMAGE`, LZMAError or EOFError where the archive is damaged.
    """
    with py7zr.SevenZipFile(path) as archive:
        wanted: list[str] = []
        for member in archive.files:
            if member.is_directory:
                continue
            if member.is_symlink or member.is_junction or member.is_socket:
                unpacker.left["link or device"] += 1
            elif unpacker.admit(_name(member.filename), member.uncompressed):
                wanted.append(member.filename)
        archive.extract(targets=wanted, factory=_Factory(unpacker))


def _name(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape").lstrip(b"/")


class _Factory(WriterFactory):
    def __init__(self, unpacker: Unpacker) -> None:
        self._unpacker = unpacker

    def create(self, filename: str) -> Py7zIO:
        return _Writer(self._unpacker, _name(filename))


class _Writer(Py7zIO):
    """Streams one member to disk. py7zr writes it in order and asks for nothing back."""

    def __init__(self, unpacker: Unpacker, name: bytes) -> None:
        self._unpacker, self._name = unpacker, name
        self._stream = unpacker.create(name)

    def write(self, s: bytes | bytearray) -> int:
        self._unpacker.write(self._stream, self._name, bytes(s))
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
