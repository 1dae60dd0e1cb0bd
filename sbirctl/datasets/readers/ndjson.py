"""Drawings in .ndjson files of Quick, Draw!: one a line, rendered when they are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from sbirctl.datasets.readers.tree import ReadBytes, Tree
from sbirctl.drawings.strokes import Pen, as_png, parse_drawing, render
from sbirctl.store.raw import RawItem


@dataclass(frozen=True, slots=True)
class RawDrawing:
    """A line of an .ndjson file of Quick, Draw!: where it lies and what it says."""

    path: bytes
    word: str
    key: str
    recognized: bool


def drawings(tree: Tree, path: bytes) -> tuple[list[RawDrawing], int]:
    """The drawings of one .ndjson file, in its order, and how many lines cannot be read."""
    found: list[RawDrawing] = []
    bad = start = 0
    for line in tree.read(path).splitlines(keepends=True):
        place = b"%s#%d+%d" % (path, start, len(line))
        start += len(line)
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            word, key = str(entry["word"]), str(entry["key_id"])
            usable = bool(entry["drawing"])
        except (ValueError, KeyError, TypeError, RecursionError):
            usable = False
        if usable:
            found.append(RawDrawing(place, word, key, bool(entry.get("recognized", True))))
        else:
            bad += 1
    return found, bad


@dataclass
class ReadDrawings:
    """Reads items that may be lines of .ndjson files, rendered; all others as they are.

    One file is held at a time; the store asks in the order of the classes.
    """

    readers: tuple[ReadBytes, ...]
    pen: Pen
    _held: tuple[int, bytes, bytes] | None = field(default=None, repr=False, compare=False)

    def __call__(self, item: RawItem) -> bytes:
        """The bytes of an image file.

        Raises:
            CorruptError: the line holds no strokes.
        """
        file, sign, place = item.path.rpartition(b"#")
        if not (sign and file.lower().endswith(b".ndjson")):
            return self.readers[item.tree](item.path)
        start, _, length = place.partition(b"+")
        line = self._file(item.tree, file)[int(start) : int(start) + int(length)]
        return as_png(render(parse_drawing(line), self.pen))

    def _file(self, tree: int, path: bytes) -> bytes:
        if self._held is None or self._held[:2] != (tree, path):
            self._held = (tree, path, self.readers[tree](path))
        return self._held[2]

    def __getstate__(self) -> dict[str, object]:
        return {"readers": self.readers, "pen": self.pen, "_held": None}


def ndjson_files(trees: Sequence[Tree]) -> list[tuple[int, bytes]]:
    """(tree, path) of every file of drawings."""
    return [
        (index, file.path)
        for index, tree in enumerate(trees)
        for file in tree.others
        if file.path.lower().endswith(b".ndjson")
    ]
