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
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote_to_bytes

from sbirctl.core.errors import CorruptError, SbirctlError
from sbirctl.core.files import digest_bytes, display_path, human_bytes, read_json, write_json
from sbirctl.datasets.readers.tree import MAX_FILE_BYTES, File, ReadFolder, Tree, select
from sbirctl.store.manifest import quote_path

MAX_RATIO = 100  # image archives grow by 1 to 3; a bomb by far more
RATIO_FREE_BYTES = 1024**3  # so little is never called a bomb
_COPY_BYTES = 1 << 20
_INDEX = "index.json"


@dataclass(frozen=True)
class ReadUnpacked:
    """Reads members of an archive that was unpacked by `unpack`."""

    root: bytes

    def __call__(self, path: bytes) -> bytes:
        """The bytes of one member."""
        return ReadFolder(self.root)(_place(path))


def _place(path: bytes) -> bytes:
    """Where the member of that name lies: a name of our own, in folders of bearable size."""
    digest = digest_bytes(path)
    return f"{digest[:2]}/{digest[2:40]}".encode()


class Unpacker:
    """Writes members below a folder and stops when they grow beyond reason or space."""

    def __init__(self, archive: Path, folder: Path) -> None:
        size = archive.stat().st_size
        self.archive, self.folder = archive, folder
        self.most = max(RATIO_FREE_BYTES, MAX_RATIO * size)
        self.free = shutil.disk_usage(folder).free
        self.total = 0
        self.sizes: dict[bytes, int] = {}
        self.left: Counter[str] = Counter()

    def admit(self, path: bytes, size: int) -> bool:
        """Whether a member is taken; those that are not are counted."""
        if b".." in path.split(b"/"):
            self.left["path leading out of the archive"] += 1
        elif size > MAX_FILE_BYTES:
            self.left[f"larger than {human_bytes(MAX_FILE_BYTES)}"] += 1
        else:
            return True
        return False

    def grow(self, count: int) -> None:
        """Account for bytes about to be written."""
        self.total += count
        if self.total > self.most:
            raise CorruptError(
                f"{display_path(self.archive)} unpacks to more than {human_bytes(self.most)}, "
                f"{MAX_RATIO} times its own size.",
                "Such archives are traps; unpack it by hand if it can be trusted.",
            )
        if self.total > self.free:
            raise SbirctlError(
                f"No space to unpack {display_path(self.archive)}: "
                f"{human_bytes(self.free)} are free.",
                "Free some space, or set SBIRCTL_HOME to a larger disk.",
            )

    def create(self, path: bytes) -> IO[bytes]:
        """A file for a member; its size is known when `finish` is called."""
        target = os.fsencode(self.folder) + b"/" + _place(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        self.sizes[path] = 0
        return open(target, "wb")

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


def untar(path: Path, unpacker: Unpacker) -> None:
    """Unpack a tar archive, compressed or not."""
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
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


def unpacked_tree(path: Path, folder: Path, identity: str) -> Tree:
    """The image files of an archive unpacked into `folder`."""
    index = read_json(folder / _INDEX)
    files = [File(unquote_to_bytes(name), size) for name, size in index["files"]]
    reader = ReadUnpacked(os.fsencode(folder.absolute()))
    name, left = os.fsencode(path.stem), Counter(index["left"])
    return select(display_path(path), name, files, reader, identity, left)
