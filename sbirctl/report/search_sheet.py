"""A sheet of answers: what was asked, a row each, and the photos found for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps

from sbirctl.report.sheet_layout import (
    FRAME,
    GAP,
    MARGIN,
    SMALL,
    TEXT,
    TITLE,
    Page,
    Picture,
    Text,
    down,
    heading,
    two_lines,
)
from sbirctl.report.style import GREY
from sbirctl.report.text_layout import wrapped

_LEAST_WIDTH = 620


@dataclass(frozen=True)
class CaptionedPicture:
    """A picture with what stands below it; without a picture the words stand in its place.

    Attributes:
        image: of any size and shape.
        first, value, second: below it, `value` at the right of `first`.
    """

    image: Image.Image | None
    first: str
    value: str
    second: str


@dataclass(frozen=True)
class SearchRow:
    """What was asked and what was found, best first."""

    asked: CaptionedPicture
    found: Sequence[CaptionedPicture]


def search_page(title: str, about: str, rows: Sequence[SearchRow], side: int) -> Page:
    """Lay the rows out.

    Args:
        title, about: above the rows.
        side: of a picture in pixels.
    """
    cell = side + 2 * FRAME
    step = cell + GAP
    left = MARGIN + step + 2 * GAP
    columns = max((len(row.found) for row in rows), default=0)
    page = Page(max(left + columns * step - GAP + MARGIN, _LEAST_WIDTH), 0)
    y = heading(page, [(title, TITLE, True), (about, TEXT, False)], MARGIN)
    for row in rows:
        _put(page, row.asked, MARGIN, y, cell)
        for place, shown in enumerate(row.found):
            _put(page, shown, left + place * step, y, cell)
        y += cell + down(TEXT) + down(SMALL) + GAP
    page.height = y + MARGIN - GAP
    return page


def _put(page: Page, shown: CaptionedPicture, x: int, y: int, cell: int) -> None:
    side = cell - 2
    if shown.image is None:
        for line in wrapped(shown.first, side, TEXT, True):
            page.texts.append(Text(x, y, line, TEXT, bold=True))
            y += down(TEXT)
        return
    whole = ImageOps.pad(shown.image, (side, side), Image.Resampling.LANCZOS, color="white")
    page.pictures.append(Picture(x, y, side, whole, GREY, 1))
    two_lines(page, x, y + cell + 2, cell, shown.first, shown.value, shown.second)
