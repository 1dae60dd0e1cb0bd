"""Drawings to search with: files, and folders of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sbirctl.core.errors import CorruptError, MissingError, UsageError, few
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from PIL import Image

_LINES = (b".svg", b".ndjson")


@dataclass(frozen=True)
class Drawing:
    """A drawing to search with: what it is called, and the bytes of its file."""

    name: str
    data: bytes


def read_drawings(path: Path, report: Reporter = SILENT) -> list[Drawing]:
    """A file, or the drawings in a folder and its sub-folders, by path.

    What else lies in the folder is counted.

    Raises:
        MissingError: it is not there or cannot be read, or holds no drawing.
    """
    from sbirctl.datasets.readers.tree import NO_IMAGE
    from sbirctl.galleries.walk import walk

    place = path.expanduser()
    if not place.is_dir():
        return [_read_file(path)]
    found = walk([os.fsencode(place)])
    lines = {one for one, reason in found.left if reason == NO_IMAGE and _is_lines(one)}
    files = [*(file.path for file in found.files), *lines]
    left = Counter(reason for one, reason in found.left if one not in lines)
    others = few([f"{count:,} {reason}" for reason, count in left.most_common()], 6)
    if not files:
        raise MissingError(
            f"There is no drawing in {display_path(path)}{f': {others}' if others else ''}.",
            "Name a folder of PNG or SVG files.",
        )
    if others:
        report.note(f"Left out of {display_path(path)}: {others}.")
    return [_read_file(Path(os.fsdecode(one))) for one in sorted(files)]


def readable(
    drawings: Sequence[Drawing], read: Callable[[Drawing], Image.Image], report: Reporter = SILENT
) -> list[tuple[Drawing, Image.Image]]:
    """The drawings that can be read, with their pictures; of several, each other is warned of.

    Raises:
        CorruptError: none can be read.
    """
    found: list[tuple[Drawing, Image.Image]] = []
    problems: list[CorruptError] = []
    for drawing in drawings:
        try:
            found.append((drawing, read(drawing)))
        except CorruptError as error:
            problems.append(error)
    if problems and not found:
        first = problems[0]
        more = f" (none of the {len(problems)} drawings can be)" if problems[1:] else ""
        raise CorruptError(f"{first.message.removesuffix('.')}{more}.", first.hint) from first
    for problem in problems:
        report.warn(problem.message)
    return found


def read_bytes(path: Path, most: int) -> bytes:
    """Up to so many bytes of a file.

    Raises:
        UsageError: it is a folder.
        MissingError: it is not there or cannot be read.
    """
    try:
        with open(path.expanduser(), "rb") as stream:
            return stream.read(most)
    except IsADirectoryError as error:
        raise UsageError(
            f"{display_path(path)} is a folder.", "Name the pictures in it: FOLDER/*.png."
        ) from error
    except OSError as error:
        raise MissingError(
            f"{display_path(path)} cannot be read: {error.strerror or error}.",
            "Give the path of a file, or - for stdin.",
        ) from error


def _read_file(path: Path) -> Drawing:
    from sbirctl.drawings.reading import MAX_BYTES

    return Drawing(display_path(path), read_bytes(path, MAX_BYTES + 1))


def _is_lines(path: bytes) -> bool:
    """Whether a file that is left out as no picture may be a drawing of lines."""
    return path.lower().endswith(_LINES) and os.path.isfile(path)
