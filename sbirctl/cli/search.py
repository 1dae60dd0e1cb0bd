"""`sbirctl search`: drawings in, the paths of the photos that look like them out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sbirctl.cli import _console
from sbirctl.core.files import display_path

if TYPE_CHECKING:
    from sbirctl.pipeline.search import Answer, Drawing

panel = "Your own photos"
order = 2


def _galleries(incomplete: str) -> list[str]:
    from sbirctl.galleries.gallery import list_galleries

    return [info.name for info in list_galleries() if info.name.startswith(incomplete)]


def command(
    drawings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DRAWING|-",
            help="PNG, JPEG, SVG, .ndjson strokes, or - for such a file on stdin; a query each.",
            show_default=False,
        ),
    ] = None,
    gallery: Annotated[
        str,
        typer.Option(
            "--gallery",
            "-g",
            metavar="NAME",
            help="A gallery, or qdrant://HOST:PORT/NAME. [default: the one indexed last]",
            autocompletion=_galleries,
        ),
    ] = "",
    k: Annotated[int, typer.Option("-k", min=1, max=10_000, help="Photos a query.")] = 20,
    text: Annotated[
        str, typer.Option("--text", help="Words that go into every query, or are one.")
    ] = "",
    photo: Annotated[
        list[Path] | None,
        typer.Option("--photo", metavar="FILE", help="A photo that does; may be repeated."),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            "--weight",
            metavar="KIND=W",
            help="Of sketch, photo or text, 1 if not given; may be repeated, and below zero.",
        ),
    ] = None,
    clean: Annotated[
        Literal["auto", "yes", "no"],
        typer.Option("--clean", help="Photographed drawings to black on white."),
    ] = "auto",
    centre: Annotated[
        bool,
        typer.Option("--centre/--as-drawn", help="Place drawings as the training sketches were."),
    ] = True,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", metavar="FILE", help="Also draw what was found: .png or .pdf."),
    ] = None,
    scores: Annotated[
        bool, typer.Option("--scores", help="A table of drawing, rank, score and path.")
    ] = False,
    device: _console.DeviceOption = "auto",
    json: _console.JsonOption = False,
    print0: _console.Print0Option = False,
) -> None:
    """Find the photos that look like a drawing; prints their paths, the best first.

    Several drawings are several queries, answered one after the other.
    """
    from sbirctl.galleries.combining import parse_weights
    from sbirctl.pipeline.search import Query, search

    query = Query(
        drawings=[_drawing(name) for name in drawings or []],
        photos=photo or [],
        text=text,
        weights=parse_weights(weight or []),
        clean=clean,
        centre=centre,
    )
    answers = search(
        query, gallery=gallery or None, k=k, sheet=sheet, device=device, report=_console.reporter()
    )
    if json:
        _console.print_json(_as_json(answers))
    elif scores:
        rows = [
            (answer.query, rank, hit.score, display_path(path))
            for answer in answers
            for rank, (hit, path) in enumerate(zip(answer.hits, answer.paths, strict=True), 1)
        ]
        _console.print_table(("drawing", "rank", "score", "path"), rows)
    else:
        for answer in answers:
            for path in answer.paths:
                _console.print_path(path, null=print0)


def _drawing(name: str) -> Drawing:
    from sbirctl.drawings.reading import MAX_BYTES
    from sbirctl.pipeline.search import Drawing, read_file

    if name == "-":
        return Drawing("stdin", sys.stdin.buffer.read(MAX_BYTES + 1))
    return read_file(_console.input_path(name))


def _as_json(answers: list[Answer]) -> dict[str, object]:
    return {
        "schema": 1,
        "answers": [
            {
                "drawing": answer.query,
                "photos": [
                    {
                        "rank": rank,
                        "id": hit.id,
                        "score": round(hit.score, 6),
                        "path": display_path(path),
                    }
                    for rank, (hit, path) in enumerate(
                        zip(answer.hits, answer.paths, strict=True), 1
                    )
                ],
            }
            for answer in answers
        ],
    }
