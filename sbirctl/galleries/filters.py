"""Which of the photos found are wanted: by folder, by the day they were taken, by score."""

from __future__ import annotations

import calendar
import math
import os
import re
import time
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
        deadline: of `time.monotonic()`; after it no more photos are looked at for their days.
        undated: ids of photos that were left out because they say no day.
        unread: ids of photos that were left out because time was over.
    """

    folders: tuple[bytes, ...] = ()
    since: date | None = None
    until: date | None = None
    least: float | None = None
    deadline: float = math.inf
    undated: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)

    def inside(self, files: Sequence[File]) -> list[File]:
        """Those of a photo's files that lie below the folders."""
        return [
            file
            for file in files
            if not self.folders or any(below(file.path, folder) for folder in self.folders)
        ]

    def keeps(self, id: str, score: float, files: Sequence[File]) -> bool:
        """Whether a photo is wanted."""
        if self.least is not None and score < self.least:
            return False
        inside = self.inside(files)
        if not inside or (self.since is None and self.until is None):
            return bool(inside)
        if self.is_over():
            self.unread.add(id)
            return False
        days = [day for file in inside if (day := day_taken(file))]
        if not days:
            self.undated.add(id)
        return any(
            (self.since is None or day >= self.since) and (self.until is None or day <= self.until)
            for day in days
        )

    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline < math.inf and time.monotonic() > self.deadline

    def said(self) -> list[str]:
        """What of the photos found was left out, in words."""
        words = []
        if self.undated:
            words.append(f"{len(self.undated):,} of the nearest photos say no day: left out.")
        if self.unread:
            words.append(
                f"The days of {len(self.unread):,} more are not read yet: ask again for them."
            )
        return words

    def ends_at(self, score: float) -> bool:
        """Whether nothing below a score is wanted."""
        return self.least is not None and score < self.least


def make_filter(
    folders: Sequence[Path | bytes] = (),
    since: str = "",
    until: str = "",
    least: float | None = None,
    seconds: float = math.inf,
) -> Filter:
    """A filter of what a person types.

    Args:
        folders: as typed, or absolute as bytes.
        since, until: 2023, 2023-05 or 2023-05-17; "" for any. Both are whole: until 2023 is until
            its last day.
        least: lowest score.
        seconds: from now on that may be spent on looking for days.

    Raises:
        UsageError: a day that is none.
    """
    absolute = tuple(
        one if isinstance(one, bytes) else os.fsencode(os.path.abspath(one.expanduser()))
        for one in folders
    )
    deadline = time.monotonic() + seconds
    return Filter(absolute, _day(since, False), _day(until, True), least, deadline)


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
