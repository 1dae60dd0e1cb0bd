"""The patterns of what a gallery leaves out, kept in its folder for the next time, one a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sbirctl.core.files import atomic_open
from sbirctl.core.text import lines, read_text
from sbirctl.datasets.readers.exclude import check_patterns

PATTERNS = "exclude.txt"


def patterns_of(place: Path, more: Sequence[str] = ()) -> tuple[bytes, ...]:
    """The gallery's patterns and some more.

    Args:
        place: the gallery's folder.
        more: shell patterns as typed.

    Raises:
        UsageError: one is empty.
        CorruptError: the file is no text.
    """
    file = place / PATTERNS
    known = [line for line in lines(read_text(file)) if line] if file.is_file() else []
    return check_patterns(dict.fromkeys([*known, *more]))


def keep_patterns(place: Path, patterns: Sequence[bytes]) -> None:
    """Write the patterns for the next time."""
    if patterns != patterns_of(place):
        with atomic_open(place / PATTERNS) as stream:
            stream.writelines(pattern + b"\n" for pattern in patterns)
