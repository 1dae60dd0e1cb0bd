"""Walking folders for photos: nothing found there is fatal, everything left out is listed."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from sbirctl.datasets.tree import MAGIC_BYTES, File, ReadFolder, left_aside

HIDDEN = "hidden"
UNREADABLE_FOLDER = "folder that cannot be read"
LINKED_FOLDER = "link to a folder"
SPECIAL = "no regular file"
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is left out.

    Attributes:
        path: absolute.
        kind: what it is counted as.
        reason: why; may tell sizes or damage.
    """

    path: bytes
    kind: str
    reason: str


@dataclass
class Walk:
    """What lies below some folders.

    Attributes:
        files: that may be photos, sorted by absolute path, each once.
        left: what is left out.
        unreadable: folders that could not be listed; what is known below them stays.
    """

    files: list[File] = field(default_factory=list)
    left: list[LeftOut] = field(default_factory=list)
    unreadable: list[bytes] = field(default_factory=list)


def walk(folders: Sequence[bytes]) -> Walk:
    """Walk folders; links to files are followed, links to folders are not.

    Args:
        folders: absolute paths; one inside another is walked once, hidden or a link as it may be.
    """
    found = Walk()
    named = frozenset(folders)
    pending = list(named)
    while pending:
        pending += _list(pending.pop(), named, found)
    found.files.sort(key=lambda file: file.path)
    return found


def below(path: bytes, folder: bytes) -> bool:
    """Whether `path` lies in `folder`, at any depth."""
    return path.startswith(folder.rstrip(b"/") + b"/")


def _list(folder: bytes, named: Collection[bytes], found: Walk) -> list[bytes]:
    """Take the files of one folder; gives its sub-folders but those that are walked anyway."""
    try:
        with os.scandir(folder) as stream:
            entries = list(stream)
    except OSError:
        found.left.append(LeftOut(folder, UNREADABLE_FOLDER, UNREADABLE_FOLDER))
        found.unreadable.append(folder)
        return []
    inner = []
    for entry in entries:
        if entry.path in named:
            continue
        if entry.name.startswith(b".") or entry.name == b"__MACOSX":
            found.left.append(LeftOut(entry.path, HIDDEN, HIDDEN))
        elif entry.is_dir(follow_symlinks=False):
            inner.append(entry.path)
        else:
            _take(entry, found)
    return inner


def _take(entry: os.DirEntry[bytes], found: Walk) -> None:
    try:
        facts = entry.stat()
    except OSError as error:
        reason = error.strerror or UNREADABLE
        found.left.append(LeftOut(entry.path, reason, reason))
        return
    if not stat.S_ISREG(facts.st_mode):
        reason = LINKED_FOLDER if stat.S_ISDIR(facts.st_mode) else SPECIAL
        found.left.append(LeftOut(entry.path, reason, reason))
        return
    file = File(entry.name, facts.st_size, facts.st_mtime_ns)
    # of films and the like, which lie among photos, only the first bytes are read
    reason = left_aside(file, ReadFolder(os.path.dirname(entry.path), MAGIC_BYTES))
    if reason:
        found.left.append(LeftOut(entry.path, reason, reason))
    else:
        found.files.append(replace(file, path=entry.path))
