"""`search`: drawings, photos and words in, the nearest photos of a gallery out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sbirctl.core.errors import CorruptError, SbirctlError, UsageError
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.drawings import Drawing, read_bytes, readable

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from sbirctl.galleries.filters import Filter
    from sbirctl.galleries.searcher import Hit, Searcher
    from sbirctl.report.search_sheet import CaptionedPicture, SearchRow

_SIDE = 144  # of a picture on a sheet
_ROWS, _IN_A_ROW = 60, 40  # of a sheet: about 100 million pixels of PNG


@dataclass(frozen=True)
class Query:
    """What is searched for.

    Attributes:
        drawings: each is a query of its own; none where photos or words are enough.
        photos: files that go into every query.
        text: words that go into every query, "" for none.
        weights: of the kinds "sketch", "photo" and "text", 1 where not named.
        clean: "auto", "yes" or "no", see `drawings.reading.read_drawing`.
        centre: put drawings where the model's training sketches lay.
        wanted: which photos, None for all.
    """

    drawings: Sequence[Drawing] = ()
    photos: Sequence[Path] = ()
    text: str = ""
    weights: Mapping[str, float] | None = None
    clean: str = "auto"
    centre: bool = True
    wanted: Filter | None = None


@dataclass(frozen=True)
class Answer:
    """What was found for one query.

    Attributes:
        query: the drawing's name, or the words and photos.
        hits: best first.
        paths: where each lies.
        likely: whether anything like a drawing asked for alone seems to be there at all; None where
            that cannot be told.
    """

    query: str
    hits: tuple[Hit, ...]
    paths: tuple[Path, ...]
    likely: bool | None = None


def search(
    query: Query,
    *,
    galleries: Sequence[str] = (),
    k: int = 20,
    sheet: Path | None = None,
    device: str = "auto",
    report: Reporter = SILENT,
) -> list[Answer]:
    """Find the photos nearest to each query.

    Args:
        query: what to look for.
        galleries: their names or addresses, searched as one; none for the one indexed last.
        k: photos a query.
        sheet: a picture of what was asked and found, .png or .pdf.
        device: auto, cpu, cuda, …

    Raises:
        MissingError: no such gallery or file.
        MismatchError: galleries of different models.
        UsageError: nothing to search with, or words of a model without a text tower.
        CorruptError: a photo, or none of the drawings, can be read; or a gallery holds no numbers.
    """
    import numpy as np

    from sbirctl.galleries.combining import combine
    from sbirctl.galleries.joining import join
    from sbirctl.galleries.searcher import EVERYTHING, Searcher

    if not (query.drawings or query.photos or query.text):
        raise UsageError("There is nothing to search with.", "Name a drawing, --photo or --text.")
    if sheet is not None and sheet.suffix.lower() not in (".png", ".pdf"):
        raise UsageError(f"{sheet.name!r} has no ending of a sheet.", "End it in .png or .pdf.")
    chosen: list[str | None] = [*dict.fromkeys(galleries)] or [None]
    searcher = join([Searcher.open(name, device=device, report=report) for name in chosen])
    common = _common(searcher, query)
    labels: list[str] = []
    vectors: list[np.ndarray] = []
    pictures: list[Image.Image] = []
    drawn = readable(query.drawings, lambda one: _picture(searcher, one, query, report), report)
    for drawing, image in drawn:
        labels.append(drawing.name)
        asked = [("sketch", searcher.embed(image, "sketch")), *common]
        vectors.append(combine(asked, query.weights))
        if len(pictures) < _ROWS:  # for the sheet
            pictures.append(image)
    if not labels:
        labels, vectors = [_words(query)], [combine(common, query.weights)]
    wanted = query.wanted or EVERYTHING
    alone = bool(query.drawings) and not common
    answers = [
        Answer(
            name,
            tuple(one.hits),
            tuple(searcher.path(hit.id, wanted) for hit in one.hits),
            one.likely if alone else None,
        )
        for name, one in zip(labels, searcher.find(np.stack(vectors), k, wanted), strict=True)
    ]
    if not any(answer.hits for answer in answers):
        if wanted == EVERYTHING:
            raise CorruptError(
                "No photo has a score: the vectors are no numbers, or there are none.",
                f"Make them again: {searcher.info.renewal} with --fresh.",
            )
        report.note("No photo is wanted: see --in, --since, --until and --min-score.")
    if searcher.embedder.caution:
        report.warn(searcher.embedder.caution)
    unlikely = [answer.query for answer in answers if answer.likely is False and answer.hits]
    if unlikely:
        names = ", ".join(unlikely[:3]) + (" …" if len(unlikely) > 3 else "")
        report.note(f"Perhaps nothing like it is there ({names}); these are the nearest photos.")
    for words in wanted.said():
        report.note(words)
    _warn_of_lost(answers, searcher, report)
    if sheet is not None:
        if len(answers) > _ROWS or k > _IN_A_ROW:
            report.warn(f"The sheet shows {_ROWS} queries and {_IN_A_ROW} photos each at most.")
        _write_sheet(sheet, searcher, answers[:_ROWS], pictures)
    return answers


def _picture(searcher: Searcher, drawing: Drawing, query: Query, report: Reporter) -> Image.Image:
    from sbirctl.drawings.reading import is_lines, read_drawing
    from sbirctl.store.bounded import within_bounds
    from sbirctl.store.images import is_cheap

    data = drawing.data
    read = partial(
        read_drawing,
        data,
        name=drawing.name,
        clean=query.clean,
        centre=query.centre,
        placement=searcher.placement,
    )
    # what is warned of are parts of lines, which are never made elsewhere
    return read(report=report) if is_lines(data) or is_cheap(data) else within_bounds(read)


def _common(searcher: Searcher, query: Query) -> list[tuple[str, np.ndarray]]:
    """What goes into every query: photos and words."""
    from sbirctl.datasets.readers.tree import MAX_FILE_BYTES
    from sbirctl.store.images import ImageError

    parts = []
    for path in query.photos:
        try:
            parts.append(("photo", searcher.embed_photo(read_bytes(path, MAX_FILE_BYTES))))
        except ImageError as error:
            raise CorruptError(
                f"The photo {display_path(path)} cannot be read: {error.message}.",
                error.hint or "Give a JPEG, PNG or WebP file.",
            ) from error
    if query.text:
        parts.append(("text", searcher.embed_text(query.text)))
    return parts


def _words(query: Query) -> str:
    return " + ".join([*([query.text] if query.text else []), *map(display_path, query.photos)])


def _warn_of_lost(answers: Sequence[Answer], searcher: Searcher, report: Reporter) -> None:
    lost = {path for answer in answers for path in answer.paths if not path.is_file()}
    if lost:
        report.warn(
            f"{len(lost)} of the photos found are not here, or not any more; index again: "
            f"{searcher.info.renewal}."
        )


def _write_sheet(
    target: Path, searcher: Searcher, answers: Sequence[Answer], pictures: Sequence[Image.Image]
) -> None:
    from sbirctl.report.search_sheet import CaptionedPicture, SearchRow, search_page

    rows: list[SearchRow] = []
    for number, answer in enumerate(answers):
        image = pictures[number] if pictures else None
        name = answer.query.rpartition("/")[2] if pictures else answer.query
        asked = CaptionedPicture(image, name, "", "")
        hits = list(zip(answer.hits, answer.paths, strict=True))[:_IN_A_ROW]
        rows.append(SearchRow(asked, [_shown(hit, path) for hit, path in hits]))
    about = f"{searcher.info.photos:,} photos, {searcher.info.model}, {searcher.info.engine}"
    page = search_page(display_path(searcher.info.name), about, rows, _SIDE)
    if target.suffix.lower() == ".pdf":
        from sbirctl.report.sheet_pdf import save_pdf

        save_pdf([page], target)
    else:
        from sbirctl.report.sheet_paint import save_png

        save_png(page, target)


def _shown(hit: Hit, path: Path) -> CaptionedPicture:
    from sbirctl.report.search_sheet import CaptionedPicture
    from sbirctl.store.images import decode_photo

    try:
        image = decode_photo(path.read_bytes(), 2 * _SIDE)
    except (OSError, SbirctlError):
        return CaptionedPicture(None, "gone", "", "")
    return CaptionedPicture(
        image, display_path(path.name), f"{hit.score:.3f}", display_path(path.parent.name)
    )
