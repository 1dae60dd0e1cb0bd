"""Unpacking .tar.* and .7z archives without letting them decide where anything is written.

A member lies in a file named by the digest of its path, so names that climb out, absolute names
and names no file system takes can do no harm. Links and devices are not unpacked at all.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar
from urllib.parse import unquote_to_bytes

from sbirctl.core.errors import CorruptError, SbirctlError
from sbirctl.core.files import digest_bytes, display_path, human_bytes, read_json, write_json
from sbirctl.datasets.readers.exclude import is_no_media
from sbirctl.datasets.readers.tree import MAX_FILE_BYTES, File, ReadFolder, Tree, select
from sbirctl.store.manifest import quote_path

MAX_RATIO = 100  # image archives grow by 1 to 3; a bomb by far more
RATIO_FREE_BYTES = 1024**3  # so little is never called a bomb
LEAST_BYTES = 64  # of the archive for each member, on average; a packed picture has more
FREE_MEMBERS = 10_000  # so few are never called a bomb
MAX_NAME_BYTES = 1 << 20  # of a tar header that holds a long name
_LONG_NAMES = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_COPY_BYTES = 1 << 20
_INDEX = "index.json"


@dataclass(frozen=True)
class ReadUnpacked:
    """Reads members of an archive that was unpacked by `unpack`."""

    root: bytes

    def __call__(self, path: bytes) -> bytes:
        """The bytes of one member.

        Raises:
            CorruptError: it came out damaged.
        """
        try:
            return ReadFolder(self.root)(_inside(path))
        except FileNotFoundError as error:
            raise CorruptError("its archive member is damaged") from error


def _inside(path: bytes) -> bytes:
    """Where the member of that name lies: a name of our own, in folders of bearable size."""
    digest = digest_bytes(path)
    return f"{digest[:2]}/{digest[2:40]}".encode()


class Unpacker:
    """Writes members below a folder and stops when they grow beyond reason or space."""

    def __init__(self, archive: Path, folder: Path) -> None:
        size = archive.stat().st_size
        self.archive, self.folder = archive, folder
        self.most = max(RATIO_FREE_BYTES, MAX_RATIO * size)
        self.most_members = max(FREE_MEMBERS, size // LEAST_BYTES)
        self.members = 0
        self.free = shutil.disk_usage(folder).free
        self.total = self.passed = 0
        self.sizes: dict[bytes, int] = {}
        self.left: Counter[str] = Counter()

    def count(self, more: int = 1) -> None:
        """Account for members, taken or not."""
        self.members += more
        if self.members > self.most_members:
            raise CorruptError(
                f"{display_path(self.archive)} has more than {self.most_members:,} members, one "
                f"for less than {LEAST_BYTES} of its bytes.",
                "Such archives are traps; unpack it by hand if it can be trusted.",
            )

    def admit(self, path: bytes, size: int) -> bool:
        """Whether a member is taken; those that are not are counted."""
        if not size and not is_no_media(path):
            self.left["empty"] += 1
        elif b".." in path.split(b"/"):
            self.left["path leading out of the archive"] += 1
        elif size > MAX_FILE_BYTES:
            self.grow(size, written=False)
            self.left[f"larger than {human_bytes(MAX_FILE_BYTES)}"] += 1
        else:
            return True
        return False

    def grow(self, count: int, *, written: bool = True) -> None:
        """Account for bytes about to be unpacked, and written or passed over."""
        self.total += count
        self.passed += 0 if written else count
        if self.total > self.most:
            raise CorruptError(
                f"{display_path(self.archive)} unpacks to more than {human_bytes(self.most)}, "
                f"{MAX_RATIO} times its own size.",
                "Such archives are traps; unpack it by hand if it can be trusted.",
            )
        if self.total - self.passed > self.free:
            raise SbirctlError(
                f"No space to unpack {display_path(self.archive)}: "
                f"{human_bytes(self.free)} are free.",
                "Free some space, or set SBIRCTL_HOME to a larger disk.",
            )

    def create(self, path: bytes) -> IO[bytes]:
        """A file for a member; its size is known when `finish` is called."""
        target = os.fsencode(self.folder) + b"/" + _inside(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        self.sizes[path] = 0
        return open(target, "wb")

    def damaged(self, path: bytes, size: int) -> None:
        """Take back a member that came out wrong; it stays listed, and cannot be read."""
        with suppress(FileNotFoundError):
            os.unlink(os.fsencode(self.folder) + b"/" + _inside(path))
        self.sizes[path] = size

    def write(self, stream: IO[bytes], path: bytes, data: bytes) -> None:
        """Append to a member."""
        self.grow(len(data))
        stream.write(data)
        self.sizes[path] += len(data)


def unpack(path: Path, into: Callable[[Path, Unpacker], None], target: Path) -> None:
    """Unpack into a folder that gets its name when it is whole and on the disk."""
    half = target.with_name(f".{target.name}")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    unpacker = Unpacker(path, half)
    into(path, unpacker)
    files = [[quote_path(name), size] for name, size in sorted(unpacker.sizes.items())]
    write_json(half / _INDEX, {"files": files, "left": dict(unpacker.left)}, indent=None)
    if hasattr(os, "sync"):
        os.sync()  # all at once: many thousand small files one by one would take minutes
    half.rename(target)


def is_tar(path: Path) -> bool:
    """Whether a file is a tar archive, compressed or not.

    Raises:
        CorruptError: it is a trap.
    """
    try:
        with tarfile.open(path, tarinfo=_TarInfo):
            return True
    except tarfile.TarError:
        return False


def untar(path: Path, unpacker: Unpacker) -> None:
    """Unpack a tar archive, compressed or not.

    Raises:
        Exception: what tarfile and its decompressors raise where the archive is damaged.
        SbirctlError: it is a trap, or there is no space.
    """

    class Header(_TarInfo):  # of this call alone, for what it notes
        pass

    with tarfile.open(path, "r|*", tarinfo=Header) as archive:
        for member in archive:
            archive.members.clear()  # type: ignore[attr-defined]  # it keeps all it has met
            unpacker.count()
            name = member.name.encode("utf-8", "surrogateescape").lstrip(b"/")
            if member.isdir():
                continue
            if not member.isreg():
                unpacker.left["link or device"] += 1
            elif unpacker.admit(name, member.size):
                source = archive.extractfile(member)
                assert source is not None
                with unpacker.create(name) as stream:
                    while data := source.read(_COPY_BYTES):
                        unpacker.write(stream, name, data)
    if not Header.ended:
        raise EOFError("its end is missing")


class _TarInfo(tarfile.TarInfo):
    """A header that may not claim gigabytes for a name, which tarfile reads at once.

    Attributes:
        ended: whether the last block was the empty one that ends an archive; tarfile does not mind
            where one is cut between two members.
    """

    ended: ClassVar[bool] = False

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _TarInfo:
        """See `tarfile.TarInfo`."""
        cls.ended = bool(buf) and not any(buf)
        header = super().frombuf(buf, encoding, errors)
        if header.type in _LONG_NAMES and header.size > MAX_NAME_BYTES:
            raise CorruptError(
                f"A tar header claims a name of {human_bytes(header.size)}.",
                "Such archives are traps; unpack it by hand if it can be trusted.",
            )
        return header


def unpacked_tree(path: Path, folder: Path, identity: str) -> Tree:
    """The image files of an archive unpacked into `folder`."""
    index = read_json(folder / _INDEX)
    files = [File(unquote_to_bytes(name), size) for name, size in index["files"]]
    reader = ReadUnpacked(os.fsencode(folder.absolute()))
    name, left = os.fsencode(path.stem), Counter(index["left"])
    return select(display_path(path), name, files, reader, identity, left)
