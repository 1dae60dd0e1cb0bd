"""Walking folders for photos: nothing found there is fatal, everything left out is listed.

What is named may be a file, too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from sbirctl.core.files import refuse_shortage
from sbirctl.datasets.readers.exclude import (
    EXCLUDED,
    NO_MEDIA,
    NO_MEDIA_FILE,
    excluded,
    of_the_system,
)
from sbirctl.datasets.readers.tree import MAGIC_BYTES, File, ReadFolder, is_named_image, left_aside

UNREADABLE_FOLDER = "folder that cannot be read"
GONE = "photo that is not there any more"
LINKED_FOLDER = "link to a folder"
SPECIAL = "no regular file"


@dataclass
class Walk:
    """What lies below some folders.

    Attributes:
        files: that may be photos, sorted by absolute path, each once.
        left: absolute path of each file and folder that is left out, and why.
        unreadable: folders that could not be listed; what is known below them stays.
    """

    files: list[File] = field(default_factory=list)
    left: list[tuple[bytes, str]] = field(default_factory=list)
    unreadable: list[bytes] = field(default_factory=list)


def walk(folders: Sequence[bytes], exclude: Sequence[bytes] = ()) -> Walk:
    """Walk folders; links to files are followed, links to folders are not.

    Args:
        folders: absolute paths, also of files; one inside another is walked once, hidden or a link
            as it may be.
        exclude: patterns (`datasets.readers.exclude`) of files and folders to leave out.
    """
    found = Walk()
    named = frozenset(folders)
    pending = []
    for path in named:
        if os.path.isfile(path):
            _take(path, found)
        else:
            pending.append(path)
    while pending:
        pending += _list(pending.pop(), named, exclude, found)
    found.files.sort(key=lambda file: file.path)
    return found


def below(path: bytes, folder: bytes) -> bool:
    """Whether `path` lies in `folder`, at any depth."""
    return path.startswith(folder.rstrip(b"/") + b"/")


def _list(
    folder: bytes, named: Collection[bytes], exclude: Sequence[bytes], found: Walk
) -> list[bytes]:
    """Take the files of one folder; gives its sub-folders but those that are walked anyway."""
    try:
        with os.scandir(folder) as stream:
            entries = list(stream)
    except OSError as error:
        refuse_shortage(error)
        gone = isinstance(error, FileNotFoundError) and is_named_image(os.path.basename(folder))
        found.left.append((folder, GONE if gone else UNREADABLE_FOLDER))
        found.unreadable.append(folder)
        return []
    if folder not in named and any(entry.name.lower() == NO_MEDIA_FILE for entry in entries):
        found.left.append((folder, NO_MEDIA))
        return []
    inner = []
    place = _below_named(os.path.join(folder, b""), named) if exclude else b""
    for entry in entries:
        if entry.path in named:
            continue
        reason = of_the_system(entry.name) or (
            EXCLUDED if exclude and excluded(place + entry.name, exclude) else ""
        )
        if reason:
            found.left.append((entry.path, reason))
        elif entry.is_dir(follow_symlinks=False):
            inner.append(entry.path)
        else:
            _take(entry.path, found)
    return inner


def _below_named(path: bytes, named: Collection[bytes]) -> bytes:
    """A path below the named folder that is or holds it, the innermost one; ended by "/"."""
    folder = max((one for one in named if below(path, one)), key=len)
    return path[len(folder.rstrip(b"/")) + 1 :]


def _take(path: bytes, found: Walk) -> None:
    try:
        facts = os.stat(path)
    except OSError as error:
        found.left.append((path, error.strerror or "unreadable"))
        return
    if not stat.S_ISREG(facts.st_mode):
        link = stat.S_ISDIR(facts.st_mode)
        found.left.append((path, LINKED_FOLDER if link else SPECIAL))
        return
    folder, name = os.path.split(path)
    file = File(path, facts.st_size, facts.st_mtime_ns)
    # of films and the like, which lie among photos, only the first bytes are read
    reason = (
        ""
        if is_named_image(name)
        else left_aside(replace(file, path=name), ReadFolder(folder, MAGIC_BYTES))
    )
    if reason:
        found.left.append((path, reason))
    else:
        found.files.append(file)
