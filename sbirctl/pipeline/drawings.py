"""Drawings to search with: files, and folders of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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
    """A drawing to search with: what it is called, and its file or the bytes of one."""

    name: str
    source: bytes | Path

    @property
    def data(self) -> bytes:
        """The bytes, read anew each time where it is a file.

        Raises:
            MissingError: it is not there any more or cannot be read.
        """
        return _read(self.source) if isinstance(self.source, Path) else self.source


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
        return [Drawing(display_path(path), _read(path))]
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
    return [Drawing(display_path(one), Path(os.fsdecode(one))) for one in sorted(files)]


def readable(
    drawings: Sequence[Drawing], read: Callable[[Drawing], Image.Image], report: Reporter = SILENT
) -> Iterator[tuple[Drawing, Image.Image]]:
    """The drawings that can be read, with their pictures, one after the other.

    Of several, each that cannot be read is warned of in the end.

    Raises:
        CorruptError, MissingError: none can be read.
    """
    problems: list[CorruptError | MissingError] = []
    for drawing in drawings:
        try:
            picture = read(drawing)
        except (CorruptError, MissingError) as error:
            problems.append(error)
        else:
            yield drawing, picture
    if problems and len(problems) == len(drawings):
        first = problems[0]
        more = f" (none of the {len(problems)} drawings can be)" if problems[1:] else ""
        raise type(first)(f"{first.message.removesuffix('.')}{more}.", first.hint) from first
    for problem in problems:
        report.warn(problem.message)


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


def _read(path: Path) -> bytes:
    from sbirctl.drawings.reading import MAX_BYTES

    return read_bytes(path, MAX_BYTES + 1)


def _is_lines(path: bytes) -> bool:
    """Whether a file that is left out as no picture may be a drawing of lines."""
    return path.lower().endswith(_LINES) and os.path.isfile(path)
