"""`sheet`: queries and the photos ranked first for them, as a picture, a page and a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sbirctl.core.errors import UsageError
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import read_embeddings
from sbirctl.pipeline.pictures import beside, embeddings_files, marked, titles_of
from sbirctl.retrieval.embeddings import Embeddings

if TYPE_CHECKING:
    from sbirctl.report.sheet import Sheet
    from sbirctl.report.sheet_layout import Pictures
    from sbirctl.report.sheet_selection import Selection

# Photos of a sheet, fewer where they are large; 60 million pixels of PNG, or 40 MB of HTML.
MOST = {".png": 3000, ".pdf": 3000, ".html": 10_000}
SIDE = 112
PAGE_ROWS = 8  # of a PDF
# Pixels of a thumbnail per pixel of the layout: a PDF has 216 to the inch then.
_FINE = {".png": 1.0, ".pdf": 1.5, ".html": 1.5}


def sheet(
    sources: Sequence[Path] = (),
    output: Path | None = None,
    *,
    selection: Selection | None = None,
    k: int = 10,
    size: int = SIDE,
    store: str = "",
    names: Sequence[str] = (),
    report: Reporter = SILENT,
) -> Path:
    """Make a retrieval sheet; beside it the same as a table (.tsv).

    Args:
        sources: embeddings or runs over the same queries; none for the newest run.
        output: .png, .pdf or .html; None for `sheet.png` in the run's folder, or
            `<name>-sheet.png` beside an embeddings file.
        selection: which queries.
        k: photos a query.
        size: side of a photo in pixels.
        store: name or folder of the data set, "" for the one the embeddings name.
        names: of the runs, by default those of their folders or files.

    Returns:
        The sheet's path.

    Raises:
        UsageError: a wrong ending, an unknown class or query.
        MissingError: no such file, run or data set.
        MismatchError: runs of different queries, or pictures the data set does not hold.
    """
    from sbirctl.report.sheet import build
    from sbirctl.report.sheet_layout import held
    from sbirctl.report.sheet_selection import Selection
    from sbirctl.report.sheet_table import write_table

    if output is not None and output.suffix.lower() not in MOST:
        raise UsageError(
            f"{output.name!r} has no ending that says what sheet to make.",
            f"End it in {', '.join(MOST)}.",
        )
    paths = embeddings_files(sources, report)
    target = output or beside(paths[0], "sheet.png")
    kind = target.suffix.lower()
    found = [read_embeddings(path, report, vectors=False) for path in paths]
    runs = [marked(name, e) for name, e in zip(titles_of(paths, names), found, strict=True)]
    side = round(size * _FINE[kind])
    most = held(MOST[kind], side)
    made = build(found, runs, selection or Selection(), k, most=most, report=report)
    if made.limit:
        report.warn(f"{display_path(target.name)} shows {made.limit}.")
    pictures = _pictures(made, found, paths, store, side)
    _write(made, pictures, size, target, report)
    write_table(made, target.with_suffix(".tsv"))
    return target


def _write(made: Sheet, pictures: Pictures, size: int, target: Path, report: Reporter) -> None:
    from sbirctl.report import sheet_layout

    kind = target.suffix.lower()
    if kind == ".html":
        from sbirctl.report import sheet_html

        sheet_html.write_html(made, pictures, size, target)
    elif kind == ".pdf":
        pages = sheet_layout.retrieval_pages(made, pictures, size, most_rows=PAGE_ROWS)
        from sbirctl.report import sheet_pdf

        sheet_pdf.save_pdf(pages, target, report)
    else:
        from sbirctl.report import sheet_paint

        (page,) = sheet_layout.retrieval_pages(made, pictures, size)
        sheet_paint.save_png(page, target, report)


def _pictures(
    made: Sheet, found: Sequence[Embeddings], paths: Sequence[Path], chosen: str, side: int
) -> Pictures:
    """Thumbnails of everything that is shown."""
    from sbirctl.report.sheet_layout import Pictures
    from sbirctl.report.sheet_thumbnails import Album, Thumbnails, store_of

    albums: dict[str, Album] = {}
    queries: Thumbnails = {}
    gallery = []
    for run, (e, path) in enumerate(zip(found, paths, strict=True)):
        store = store_of(e, path, chosen)
        album = albums.setdefault(store.digest, Album(store, side))
        if not run:
            rows = [asked.row for asked in made.queries]
            queries = album.take("sketch", rows, e.query_path, e.query_digest)
        hits = {hit.row for asked in made.queries for hit in asked.answers[run].hits}
        gallery.append(album.take("photo", sorted(hits), e.gallery_path, e.gallery_digest))
    return Pictures(queries, gallery)
