"""`sbirctl search`: drawings in, the paths of the photos that look like them out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing, Made, Table
from sbirctl.core.files import display_path

if TYPE_CHECKING:
    from sbirctl.pipeline.drawings import Drawing
    from sbirctl.pipeline.search import Answer

panel = "Your own photos"
order = 2


def command(
    drawings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DRAWING|-",
            help="Drawings to search with: PNG, JPEG, SVG or .ndjson strokes, or a folder of them; "
            "- reads one from stdin.",
            show_default=False,
        ),
    ] = None,
    gallery: Annotated[
        list[str] | None,
        typer.Option(
            "--gallery",
            "-g",
            metavar="NAME",
            help="Gallery to search, or qdrant://HOST:PORT/NAME; may be repeated, where one model "
            "made all of them. [default: the one indexed last]",
            autocompletion=_names.galleries,
        ),
    ] = None,
    k: Annotated[
        int,
        typer.Option(
            "--top", "-k", min=1, max=10_000, help="How many photos to find for each drawing."
        ),
    ] = 20,
    text: Annotated[
        str,
        typer.Option("--text", help="Words to search with, together with the drawings or alone."),
    ] = "",
    photo: Annotated[
        list[Path] | None,
        typer.Option(
            "--photo",
            metavar="FILE",
            help="A photo to search with, together with the drawings or alone; may be repeated.",
        ),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            "--weight",
            metavar="KIND=W",
            autocompletion=_names.kinds_of_query,
            help="How much the sketch, photo or text counts, such as text=0.5; negative "
            "values search for the opposite. May be repeated. [default: 1 each]",
        ),
    ] = None,
    clean: Annotated[
        Literal["auto", "yes", "no"],
        typer.Option(
            "--photographed",
            help="Turn photographed drawings into black lines on white; auto: where one "
            "looks photographed.",
        ),
    ] = "auto",
    centre: Annotated[
        bool,
        typer.Option(
            "--centre/--as-drawn",
            help="Move and scale drawings to where the training sketches lay on the sheet, "
            "or leave them as drawn.",
        ),
    ] = True,
    inside: Annotated[
        list[Path] | None,
        typer.Option(
            "--in", metavar="FOLDER", help="Only photos below this folder; may be repeated."
        ),
    ] = None,
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="DAY", help="Only photos taken then (2023, 2023-05 …) or later."
        ),
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="DAY", help="Only photos taken then or earlier.")
    ] = "",
    min_score: Annotated[
        float | None, typer.Option("--min-score", help="Only photos of this score or above.")
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet", metavar="FILE", help="Also show what was found in a picture, .png or .pdf."
        ),
    ] = None,
    scores: Annotated[
        bool, typer.Option("--scores", help="Print a table of drawing, rank, score and path.")
    ] = False,
    device: _console.DeviceOption = "auto",
) -> Listing | Made:
    """Find the photos that look like a drawing; prints their paths, the best first.

    Several drawings are several queries, answered one after the other. One that cannot be read is
    named; the others are answered.
    """
    from sbirctl.galleries.combining import parse_weights
    from sbirctl.galleries.filters import make_filter
    from sbirctl.pipeline.search import Query, search

    query = Query(
        drawings=[one for name in drawings or [] for one in _drawings(name)],
        photos=photo or [],
        text=text,
        weights=parse_weights(weight or []),
        clean=clean,
        centre=centre,
        wanted=make_filter(inside or [], since, until, min_score),
    )
    answers = search(
        query,
        galleries=gallery or (),
        k=k,
        sheet=sheet,
        device=device,
        report=_console.reporter(),
    )
    fields = {"rows": _rows(answers), "sheet": sheet}
    if not scores:
        return Made(fields, [path for answer in answers for path in answer.paths], schema=2)
    rows = [
        (answer.query, rank, hit.score, display_path(path))
        for answer in answers
        for rank, (hit, path) in enumerate(zip(answer.hits, answer.paths, strict=True), 1)
    ]
    return Listing(fields, (Table(("drawing", "rank", "score", "path"), rows),), schema=2)


def _drawings(name: str) -> list[Drawing]:
    from sbirctl.drawings.reading import MAX_BYTES
    from sbirctl.pipeline.drawings import Drawing, read_drawings

    if name == "-":
        return [Drawing("stdin", sys.stdin.buffer.read(MAX_BYTES + 1))]
    return read_drawings(_console.input_path(name), _console.reporter())


def _rows(answers: list[Answer]) -> list[dict[str, object]]:
    """One object a drawing, with its photos, the best first."""
    return [
        {
            "drawing": answer.query,
            "likely": answer.likely,
            "photos": [
                {"rank": rank, "id": hit.id, "score": round(hit.score, 6), "path": path}
                for rank, (hit, path) in enumerate(zip(answer.hits, answer.paths, strict=True), 1)
            ],
        }
        for answer in answers
    ]
