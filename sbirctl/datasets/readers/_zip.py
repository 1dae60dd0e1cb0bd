"""Zip archives, read in place."""

from __future__ import annotations

import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import display_path
from sbirctl.datasets.readers.tree import File, Tree, check_size, select

# What zipfile and its decompressors raise on damaged data; bz2 raises OSError (`is_damage`).
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    LookupError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    OSError,
)


def is_damage(error: Exception) -> bool:
    """Whether one of `DAMAGE` is of the data: what the system says carries its number."""
    return not isinstance(error, OSError) or error.errno is None


@dataclass
class ReadZip:
    """Reads members of a zip archive; the archive is opened once a process."""

    path: str
    _open: tuple[int, zipfile.ZipFile, dict[bytes, zipfile.ZipInfo]] | None = field(
        default=None, repr=False, compare=False
    )

    def __call__(self, path: bytes) -> bytes:
        """The bytes of one member.

        Raises:
            CorruptError: the member is damaged, encrypted or packed in an unknown way.
        """
        archive, members = self._archive()
        check_size(members[path].file_size)
        try:
            return archive.read(members[path])
        except DAMAGE as error:
            if not is_damage(error):
                raise
            raise CorruptError(f"its archive member is damaged: {error}") from error

    def _archive(self) -> tuple[zipfile.ZipFile, dict[bytes, zipfile.ZipInfo]]:
        if self._open is None or self._open[0] != os.getpid():
            archive = zipfile.ZipFile(self.path)
            members = {_zip_name(info): info for info in archive.infolist()}
            self._open = os.getpid(), archive, members
        return self._open[1:]

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "_open": None}


def zip_tree(path: Path, identity: str) -> Tree:
    """The image files of a zip archive; links and encrypted members are left aside.

    Raises:
        Exception: one of `DAMAGE`.
    """
    files: list[File] = []
    left: Counter[str] = Counter()
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    for info in members:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            continue
        if kind not in (0, stat.S_IFREG):
            left["link or device"] += 1
        elif info.flag_bits & 1:
            left["encrypted"] += 1
        else:
            files.append(File(_zip_name(info), info.file_size))
    unique = list({file.path: file for file in files}.values())
    if len(unique) < len(files):
        left["earlier member of the same name"] = len(files) - len(unique)
    reader = ReadZip(os.path.abspath(path))
    return select(display_path(path), os.fsencode(path.stem), unique, reader, identity, left)


def _zip_name(info: zipfile.ZipInfo) -> bytes:
    utf8 = info.flag_bits & 0x800
    name = info.filename.encode("utf-8" if utf8 else "cp437", "replace")
    if not (utf8 or name.isascii()):
        return name  # in GBK and Shift-JIS a letter's second byte may be that of "\\"
    return name.replace(b"\\", b"/")  # some programs of Windows write it; the format has "/" alone
