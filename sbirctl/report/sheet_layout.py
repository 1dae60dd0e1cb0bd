"""Where everything stands on a sheet, in pixels from the top left: one layout for all painters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from PIL import Image

from sbirctl.report.sheet import Answer, RankedPhoto, Sheet, SheetQuery
from sbirctl.report.sheet_thumbnails import Thumbnails
from sbirctl.report.style import GREY, INK
from sbirctl.report.text_layout import ellipsize, font, wrapped, wrapped_name

RIGHT, WRONG = "#009E73", "#D55E00"  # green and red that colour-blind eyes tell apart
FRAME = 4
BADGE, MARK = 18, 14  # side of the corner with ✓ or ✗, and size of the sign
MARGIN, GAP = 18, 10
TITLE, TEXT, SMALL = 20, 13, 11  # sizes of text
_LINE = 1.35  # of the size
_HEAD_GAP = 12
_PIXELS = 120_000_000  # of all pictures of a sheet: about a gigabyte of memory
_NAME, _NAME_LINES = 130, 5  # pixels and lines of a run's name


@dataclass(frozen=True)
class Picture:
    """A square picture, `side` wide, in a frame drawn around it; `image` may be finer."""

    x: int
    y: int
    side: int
    image: Image.Image
    colour: str
    frame: int
    mark: str = ""


@dataclass(frozen=True)
class Text:
    """A line of text; (x, y) is its top left corner, top right where `right`."""

    x: int
    y: int
    words: str
    size: int = SMALL
    colour: str = INK
    bold: bool = False
    right: bool = False


@dataclass
class Page:
    """A page and what stands on it."""

    width: int
    height: int
    pictures: list[Picture] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


@dataclass(frozen=True)
class Pictures:
    """The thumbnails of a sheet: `query` by row of the query, `gallery` a run by row of photo."""

    query: Thumbnails
    gallery: Sequence[Thumbnails]


def retrieval_pages(
    sheet: Sheet, pictures: Pictures, side: int, *, most_rows: int = 0
) -> Iterator[Page]:
    """The sheet on one page, or on pages of at most `most_rows` rows of photos."""
    rows = [(asked, answer) for asked in sheet.queries for answer in asked.answers]
    per_page = len(rows)
    if most_rows:
        runs = len(sheet.runs)
        per_page = max(most_rows // runs, 1) * runs  # answers to one query stay together
    for start in range(0, len(rows), per_page):
        yield _page(sheet, pictures, side, rows[start : start + per_page])


def _page(
    sheet: Sheet, pictures: Pictures, side: int, rows: Sequence[tuple[SheetQuery, Answer]]
) -> Page:
    cell = side + 2 * FRAME
    step = cell + GAP
    name_room = _name_room(sheet.runs) if len(sheet.runs) > 1 else 0
    columns = max((len(answer.hits) for _, answer in rows), default=0)
    left = MARGIN + step + 2 * GAP + name_room
    width = max(left + columns * step - GAP + MARGIN, 620)
    page = Page(width, 0)
    y = heading(page, sheet_lines(sheet), MARGIN)
    row_height = cell + down(TEXT) + down(SMALL) + GAP
    for asked, answer in rows:
        if answer.run == 0:
            y += GAP if len(sheet.runs) > 1 else 0
            _query(page, asked, pictures.query[asked.row], MARGIN, y, cell)
        if name_room:
            _run_name(page, sheet.runs[answer.run], answer, MARGIN + step + GAP, y, name_room)
        for place, hit in enumerate(answer.hits):
            image = pictures.gallery[answer.run][hit.row]
            _hit(page, hit, image, left + place * step, y, cell)
        y += row_height
    page.height = y + MARGIN - GAP
    return page


def sheet_lines(sheet: Sheet) -> list[tuple[str, int, bool]]:
    """Title, rule, limit and key: (words, size, bold)."""
    what = " · ".join(name for name in sheet.runs if name) if len(sheet.runs) == 1 else ""
    lines = [(what or "Retrieval, run by run", TITLE, True), (sheet.title, TEXT, False)]
    lines.append((f"Queries: {sheet.rule}.", TEXT, False))
    if sheet.limit:
        lines.append((f"Shown: {sheet.limit}.", TEXT, True))
    key = (
        f"At the left the sketch with its average precision (AP); then the first {sheet.k} photos."
        f" ✓ same class, ✗ another class; {sheet.score} and class below; "
        "● the sketch was drawn from it."
    )
    return [*lines, (key, SMALL, False)]


def heading(page: Page, lines: Sequence[tuple[str, int, bool]], y: int) -> int:
    """Put lines (words, size, bold) at the top of a page; gives where the rest begins."""
    for words, size, bold in lines:
        for line in wrapped(words, page.width - 2 * MARGIN, size, bold):
            colour = GREY if size == SMALL else INK
            page.texts.append(Text(MARGIN, y, line, size, colour, bold))
            y += down(size)
    return y + _HEAD_GAP


def _query(page: Page, asked: SheetQuery, image: Image.Image, x: int, y: int, cell: int) -> None:
    page.pictures.append(Picture(x, y, cell - 2, image, GREY, 1))
    below = y + cell + 2
    precision = asked.answers[0].precision
    value = "" if precision is None or len(asked.answers) > 1 else f"AP {precision:.2f}"
    two_lines(page, x, below, cell, asked.class_name, value, asked.name)


def _hit(page: Page, hit: RankedPhoto, image: Image.Image, x: int, y: int, cell: int) -> None:
    colour, mark = (RIGHT, "✓") if hit.right else (WRONG, "✗")
    page.pictures.append(Picture(x, y, cell - 2 * FRAME, image, colour, FRAME, mark))
    name = f"● {hit.name}" if hit.own else hit.name
    two_lines(page, x, y + cell + 2, cell, hit.class_name, f"{hit.score:.3f}", name)


def two_lines(page: Page, x: int, y: int, width: int, first: str, value: str, second: str) -> None:
    """A name with a value at the right of it, and the end of a path below.

    Beside a long name there is no room for the value: it goes below, too.
    """
    taken = int(font(SMALL).getlength(value)) + 6 if value else 0
    below = y + down(TEXT)
    high = font(SMALL, True).getlength(first) <= width - taken
    page.texts.append(Text(x, y, ellipsize(first, width, SMALL, True), SMALL, INK, True))
    if value:
        page.texts.append(Text(x + width, y if high else below, value, right=True))
    name = second.rpartition("/")[2]
    prefix = "● " if second.startswith("● ") and not name.startswith("● ") else ""
    room = width if high else width - taken
    page.texts.append(Text(x, below, ellipsize(prefix + name, room, SMALL), colour=GREY))


def _run_name(page: Page, name: str, answer: Answer, x: int, y: int, room: int) -> None:
    for line in run_lines(name, room - GAP):
        page.texts.append(Text(x, y, line, SMALL, INK, True))
        y += down(SMALL)
    if answer.precision is not None:
        page.texts.append(Text(x, y, f"AP {answer.precision:.2f}"))


def _name_room(runs: Sequence[str]) -> int:
    """For the widest of the names' lines, ids of runs being broken at their hyphens."""
    lines = (line for name in runs for line in run_lines(name, _NAME))
    return int(max(font(SMALL, True).getlength(line) for line in lines)) + 1 + GAP


def run_lines(name: str, room: int) -> list[str]:
    """A run's name in few lines."""
    lines = wrapped_name(name, room, SMALL, True)
    most = _NAME_LINES - 1
    if len(lines) <= _NAME_LINES:
        return lines
    return [*lines[:most], ellipsize(name[sum(map(len, lines[:most])) :], room, SMALL, True)]


def held(most: int, side: int) -> int:
    """How many pictures of `side` pixels a sheet holds: `most`, or fewer where they are large."""
    return min(most, _PIXELS // side**2)


def down(size: int) -> int:
    """Height of a line of text of that size."""
    return round(size * _LINE)
