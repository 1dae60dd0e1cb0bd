"""Which of the photos found are wanted: by folder, by the day they were taken, by score."""

from __future__ import annotations

import calendar
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path

from sbirctl.core.errors import UsageError
from sbirctl.datasets.readers.tree import File
from sbirctl.galleries.walk import below

_DAY = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_EXIF_DAY = re.compile(r"(\d{4}):(\d\d):(\d\d)")
_TAKEN, _CHANGED, _EXIF = 0x9003, 0x0132, 0x8769  # EXIF 2.3: DateTimeOriginal, DateTime, its IFD


@dataclass
class Filter:
    """What is wanted; a photo of several files is if one of them is.

    Attributes:
        folders: absolute; photos below any of them, () for all.
        since, until: first and last day, by the photos' EXIF data; None for any.
        least: lowest score, None for any.
        undated: ids of photos that were left out because they say no day.
    """

    folders: tuple[bytes, ...] = ()
    since: date | None = None
    until: date | None = None
    least: float | None = None
    undated: set[str] = field(default_factory=set)

    def keeps(self, id: str, score: float, files: Sequence[File]) -> bool:
        """Whether a photo is wanted."""
        if self.least is not None and score < self.least:
            return False
        inside = [
            file
            for file in files
            if not self.folders or any(below(file.path, folder) for folder in self.folders)
        ]
        if not inside or (self.since is None and self.until is None):
            return bool(inside)
        days = [day for file in inside if (day := day_taken(file))]
        if not days:
            self.undated.add(id)
        return any(
            (self.since is None or day >= self.since) and (self.until is None or day <= self.until)
            for day in days
        )

    def ends_at(self, score: float) -> bool:
        """Whether nothing below a score is wanted."""
        return self.least is not None and score < self.least


def make_filter(
    folders: Sequence[Path] = (), since: str = "", until: str = "", least: float | None = None
) -> Filter:
    """A filter of what a person types.

    Args:
        folders: of any form.
        since, until: 2023, 2023-05 or 2023-05-17; "" for any. Both are whole: until 2023 is until
            its last day.
        least: lowest score.

    Raises:
        UsageError: a day that is none.
    """
    absolute = tuple(os.fsencode(os.path.abspath(folder.expanduser())) for folder in folders)
    return Filter(absolute, _day(since, False), _day(until, True), least)


def _day(text: str, last: bool) -> date | None:
    if not text:
        return None
    found = _DAY.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month, day = (int(part) if part else 0 for part in found.groups())
        month = month or (12 if last else 1)
        return date(year, month, day or (calendar.monthrange(year, month)[1] if last else 1))
    except ValueError as error:
        raise UsageError(f"{text!r} is no day.", "Write 2023, 2023-05 or 2023-05-17.") from error


@lru_cache(maxsize=1 << 17)
def day_taken(file: File) -> date | None:
    """The day a photo was taken, by its EXIF data; None where it says none, or is gone."""
    from PIL import Image

    try:
        with Image.open(os.fsdecode(file.path)) as image:
            exif = image.getexif()
            text = exif.get_ifd(_EXIF).get(_TAKEN) or exif.get(_CHANGED)
        found = _EXIF_DAY.match(str(text))
        return date(*map(int, found.groups())) if found else None
    except Exception:  # Pillow's readers raise anything; a damaged block says no day
        return None
