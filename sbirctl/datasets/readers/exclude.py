"""What lies among photos and is none: thumbnails and bins of systems, and what one excludes."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Sequence

from sbirctl.core.errors import UsageError

HIDDEN = "hidden"
THUMBNAILS = "thumbnails of a network disk"
SNAPSHOTS = "earlier states on a network disk"
BIN = "bin of deleted files"
NO_MEDIA = "folder with .nomedia"
EXCLUDED = "excluded"
NO_MEDIA_FILE = b".nomedia"
_SYSTEM = {
    b"__macosx": HIDDEN,
    b"@eadir": THUMBNAILS,  # Synology
    b"@__thumb": THUMBNAILS,  # QNAP
    b"@synoeastream": THUMBNAILS,
    b"@tmp": HIDDEN,
    b"#snapshot": SNAPSHOTS,
    b"@recently-snapshot": SNAPSHOTS,
    b"~snapshot": SNAPSHOTS,
    b"#recycle": BIN,  # Synology
    b"@recycle": BIN,  # QNAP
    b"$recycle.bin": BIN,  # Windows
    b"recycler": BIN,
    b"system volume information": HIDDEN,
    b"lost+found": BIN,
}


def of_the_system(name: bytes) -> str:
    """Why a file or folder of that name holds no photos of anybody's, "" where it may."""
    return HIDDEN if name.startswith(b".") else _SYSTEM.get(name.lower(), "")


def is_no_media(path: bytes) -> bool:
    """Whether a file says that its folder, below the one that was named, holds nothing to show."""
    return path.lower().endswith(b"/" + NO_MEDIA_FILE)


def check_patterns(patterns: Iterable[str]) -> tuple[bytes, ...]:
    """Patterns as `excluded` takes them.

    Raises:
        UsageError: one is empty.
    """
    checked = tuple(os.fsencode(pattern).rstrip(b"/") for pattern in patterns)
    if not all(checked):
        raise UsageError("An empty pattern was given.", "Write it like --exclude 'screen*'.")
    return checked


def excluded(path: bytes, patterns: Sequence[bytes]) -> bool:
    """Whether a shell pattern fits a path below a folder, a part of it from its start, or a name.

    `trips/2019*` fits `trips/2019/a.jpg`; `screen*` fits `x/screens/a.jpg` and `x/screen.png`.
    """
    if not patterns:
        return False
    parts = path.split(b"/")
    starts = [b"/".join(parts[: i + 1]) for i in range(len(parts))]
    return any(fnmatch.fnmatchcase(text, p) for p in patterns for text in (*parts, *starts))
