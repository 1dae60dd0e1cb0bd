"""The files of a folder or archive, seen alike: paths of bytes, sizes, and a way to read them."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sbirctl.core.errors import MissingError, SbirctlError
from sbirctl.core.files import digest_json, display_path, human_bytes, refuse_shortage
from sbirctl.datasets.readers.exclude import NO_MEDIA, NO_MEDIA_FILE, is_no_media, of_the_system
from sbirctl.store.heic import can_be_read, is_heic
from sbirctl.store.images import ImageError, ImageFault
from sbirctl.store.manifest import quote_path
from sbirctl.store.raw import RawItem

IMAGE_ENDINGS = frozenset(
    b".jpg .jpeg .jpe .jfif .png .gif .bmp .tif .tiff .webp .ppm .pgm .avif .jp2".split()
)
_HEIC_ENDINGS = frozenset(b".heic .heif .hif".split())
_OTHER_PICTURES = {
    b".jxl": "JPEG XL picture, which is not read",
    **dict.fromkeys(
        b".arw .cr2 .cr3 .dng .nef .nrw .orf .pef .raf .rw2 .srw".split(),
        "raw picture of a camera, which is not read",
    ),
    **dict.fromkeys(
        b".dds .ico .j2c .j2k .pcx .psd .qoi .tga .xcf".split(),
        "picture of a kind that is not read",
    ),
}
# No images, but what some data sets also come as: file lists, strokes, vector drawings.
DATA_ENDINGS = (b".txt", b".ndjson", b".svg", b"_coordinate")
MAX_FILE_BYTES = 512 * 1024**2
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"P5\n", b"P6\n")
MAGIC_BYTES = 16
NO_IMAGE = "no image"

# Opening a pipe or a device that took a file's place would wait for ever.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

ReadBytes = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class File:
    """A file in a tree: path below its root (separator `/`), bytes, and when it was changed."""

    path: bytes
    size: int
    stamp: int = 0


@dataclass(frozen=True)
class Tree:
    """Image files of one folder or archive.

    Attributes:
        label: its path as a person gave it.
        name: name of the folder or archive, for layouts that are known by it.
        files: candidates for images, sorted by path.
        read: bytes of the file with that path; crosses to worker processes.
        identity: changes with the files' paths and sizes.
        ignored: files left aside, by reason.
        others: files that are no images but of a kind some data sets come as (`DATA_ENDINGS`),
            sorted by path; they are counted in `ignored` all the same.
    """

    label: str
    name: bytes
    files: tuple[File, ...]
    read: ReadBytes
    identity: str
    ignored: Mapping[str, int] = field(default_factory=dict)
    others: tuple[File, ...] = ()


@dataclass(frozen=True)
class ReadTrees:
    """Reads an item from the tree that holds it."""

    readers: tuple[ReadBytes, ...]

    def __call__(self, item: RawItem) -> bytes:
        """The item's bytes."""
        return self.readers[item.tree](item.path)


@dataclass(frozen=True)
class ReadFolder:
    """Reads files below a folder.

    Attributes:
        root: its path.
        most: bytes of each file that are read, -1 for all.
    """

    root: bytes
    most: int = -1

    def __call__(self, path: bytes) -> bytes:
        """The bytes of a regular file.

        Raises:
            OSError: it cannot be read.
            ImageError: it is larger than any picture.
        """
        handle = os.open(os.path.join(self.root, path), _READ)
        try:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise OSError("it is no regular file any more")
            check_size(facts.st_size)
            wanted = facts.st_size if self.most < 0 else min(self.most, facts.st_size)
            data = os.read(handle, wanted)
            while len(data) < wanted and (more := os.read(handle, wanted - len(data))):
                data += more
            return data
        finally:
            os.close(handle)


def check_size(size: int) -> None:
    """Refuse a file that would fill the memory.

    Raises:
        ImageError: it is larger than `MAX_FILE_BYTES`.
    """
    if size > MAX_FILE_BYTES:
        raise ImageError(
            f"it has {human_bytes(size)}, more than the limit of {human_bytes(MAX_FILE_BYTES)}",
            kind=ImageFault.TOO_LARGE,
        )


def folder_tree(path: Path) -> Tree:
    """The image files below a folder; links to files are followed, links to folders are not.

    Raises:
        MissingError: there is no such folder.
    """
    root = os.fsencode(path)
    if not os.path.isdir(root):
        raise MissingError(
            f"There is no folder {display_path(path)}.",
            "Name one whose sub-folders are the classes.",
        )
    files, linked = _walk(root)
    left = {"links to folders, which are not followed": linked} if linked else {}
    name = os.path.basename(os.path.realpath(root))
    return select(display_path(path), name, files, ReadFolder(os.path.abspath(root)), left=left)


def select(
    label: str,
    name: bytes,
    files: Sequence[File],
    read: ReadBytes,
    identity: str = "",
    left: Mapping[str, int] | None = None,
) -> Tree:
    """Keep what may be an image: by its ending, or, with another one, by its first bytes.

    Args:
        label, name, read: as in `Tree`.
        files: all regular files.
        identity: as in `Tree`; "" to take it from the listing.
        left: files left aside already.
    """
    kept: list[File] = []
    others: list[File] = []
    ignored: Counter[str] = Counter(left or {})
    quiet = [file.path[: -len(NO_MEDIA_FILE)] for file in files if is_no_media(file.path)]
    for file in sorted(files, key=lambda file: file.path):
        reason = left_aside(file, read)
        if not reason and file.path.startswith(tuple(quiet)):
            reason = NO_MEDIA
        if not reason:
            kept.append(file)
            continue
        ignored[reason] += 1
        if reason == NO_IMAGE and file.path.lower().endswith(DATA_ENDINGS):
            others.append(file)
    identity = identity or digest_json([[quote_path(f.path), f.size] for f in [*kept, *others]])
    return Tree(label, name, tuple(kept), read, identity, dict(ignored), tuple(others))


def is_named_image(name: bytes) -> bool:
    """Whether a file's ending says that it is an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_ENDINGS


def left_aside(file: File, read: ReadBytes) -> str:
    """Why a file is left aside, "" for those that may be images."""
    parts = file.path.split(b"/")
    for part in parts:
        if reason := of_the_system(part):
            return reason
    if is_named_image(parts[-1]):
        return ""
    if file.path.lower().endswith(DATA_ENDINGS):
        return NO_IMAGE  # known without reading it: strokes come in files of 100 MB
    try:
        check_size(file.size)
        head = read(file.path)[:MAGIC_BYTES]
    except (OSError, SbirctlError) as error:
        refuse_shortage(error)
        return NO_IMAGE
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    avif = head[4:12] in (b"ftypavif", b"ftypavis")
    if webp or avif or head.startswith(_MAGIC):
        return ""
    if is_heic(head):
        return "" if can_be_read() else ImageFault.HEIC
    ending = os.path.splitext(parts[-1])[1].lower()
    if ending in _HEIC_ENDINGS:
        return ImageFault.HEIC
    return _OTHER_PICTURES.get(ending, NO_IMAGE)


def _walk(root: bytes) -> tuple[list[File], int]:
    """The regular files, and how many links to folders there are."""
    files: list[File] = []
    linked = 0
    for entries in _folders(root):
        for entry in entries:
            try:
                facts = entry.stat()
            except OSError:  # a link that leads nowhere: said to be unreadable later
                facts = None
            if facts is not None and not stat.S_ISREG(facts.st_mode):
                linked += stat.S_ISDIR(facts.st_mode)
                continue
            path = entry.path[len(root.rstrip(b"/")) + 1 :].replace(os.fsencode(os.sep), b"/")
            size, stamp = (facts.st_size, facts.st_mtime_ns) if facts else (0, 0)
            files.append(File(path, size, stamp))
    return files, linked


def _folders(root: bytes) -> Iterator[list[os.DirEntry[bytes]]]:
    pending = [root]
    while pending:
        folder = pending.pop()
        with os.scandir(folder) as found:
            entries = list(found)
        pending += [e.path for e in entries if e.is_dir(follow_symlinks=False)]
        yield [e for e in entries if not e.is_dir(follow_symlinks=False)]
