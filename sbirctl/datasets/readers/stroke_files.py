"""Drawings as strokes from files of one's own: Quick, Draw! lines, SVG, coordinates of QMUL."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.core.files import display_path
from sbirctl.datasets.readers.coordinates import FRAME, read_coordinates, strokes_of
from sbirctl.drawings.strokes import FARTHEST, Strokes, parse_drawing
from sbirctl.drawings.svg import Sheet, parse_svg

_LINES, _SVG, _COORDINATES = _ENDINGS = (".ndjson", ".svg", "_coordinate")
UNREADABLE = "drawings that cannot be read"
UNRECOGNIZED = "drawings that were not recognized"


@dataclass(frozen=True)
class StrokeDrawing:
    """A drawing that can be drawn again line by line.

    Attributes:
        name: of its file without an ending, or its key; printable.
        class_name: the word of Quick, Draw!, or the folder of an SVG; "" where neither is known.
        strokes: in the order they were drawn.
        sheet: left, top, width, height of what they lie on; None to fit the drawing.
    """

    name: str
    class_name: str
    strokes: Strokes
    sheet: Sheet | None


@dataclass
class StrokeFiles:
    """The drawings of a file or folder, and what of it is left out.

    Attributes:
        left_out: how many drawings, by reason; complete when all drawings were taken.
    """

    place: Path
    left_out: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[StrokeDrawing]:
        """The drawings, by file name and then in the order of the file.

        Raises:
            MissingError: there is no such place, or no file of strokes in it.
        """
        files = [self.place] if self.place.is_file() else sorted(self.place.rglob("*"))
        files = [file for file in files if file.name.lower().endswith(_ENDINGS)]
        if not files:
            raise MissingError(
                f"{display_path(self.place)} holds no strokes.",
                "Give .ndjson files of Quick, Draw!, SVG files, or a coordinate file of QMUL.",
            )
        for file in files:
            if file.name.lower().endswith(_LINES):
                yield from self._lines(file)
            elif file.name.lower().endswith(_SVG):
                yield from self._svg(file)
            else:
                yield from self._coordinates(file)

    def _lines(self, file: Path) -> Iterator[StrokeDrawing]:
        with open(file, "rb") as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                try:
                    strokes = parse_drawing(line)
                    entry = json.loads(line)
                except CorruptError:
                    self.left_out[UNREADABLE] += 1
                    continue
                if not entry.get("recognized", True):
                    self.left_out[UNRECOGNIZED] += 1
                    continue
                name = str(entry.get("key_id", f"{file.stem}#{number}"))
                word = str(entry.get("word", file.stem))
                yield from self._drawn(name, word, strokes, None)

    def _svg(self, file: Path) -> Iterator[StrokeDrawing]:
        try:
            drawing = parse_svg(file.read_bytes())
        except CorruptError:
            self.left_out[UNREADABLE] += 1
            return
        if drawing.left_out:
            self.left_out["parts of SVG files that are no lines"] += drawing.left_out.total()
        named = (display_path(file.stem), display_path(file.parent.name))
        yield from self._drawn(*named, drawing.strokes, drawing.sheet)

    def _coordinates(self, file: Path) -> Iterator[StrokeDrawing]:
        for key, points in read_coordinates(file.read_bytes()).items():
            yield from self._drawn(
                display_path(key.rpartition("/")[2]), "", strokes_of(points), FRAME
            )

    def _drawn(
        self, name: str, class_name: str, strokes: Strokes, sheet: Sheet | None
    ) -> Iterator[StrokeDrawing]:
        points = np.concatenate(strokes) if strokes else np.empty((0, 2))
        if len(points) and (np.abs(points) <= FARTHEST).all():  # false for what is no number, too
            yield StrokeDrawing(name, class_name, strokes, sheet)
        else:
            self.left_out[UNREADABLE] += 1
