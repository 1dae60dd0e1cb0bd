"""`sbirctl sheet`: queries and the photos ranked first for them, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Made, made

panel = "Pictures and tables"
order = 2


def command(
    sources: Annotated[
        list[str] | None,
        _console.runs_argument("Embeddings or runs of the same queries, to show side by side."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write, .png, .pdf or .html. [default: beside the embeddings]",
        ),
    ] = None,
    k: Annotated[
        int,
        typer.Option("--top", "-k", min=1, max=100, help="How many photos to show for each query."),
    ] = 10,
    select: Annotated[
        Literal["random", "best", "worst", "median"],
        typer.Option(
            "--select",
            help="Which queries. best, worst: by average precision; median: of each class the "
            "middle one.",
        ),
    ] = "random",
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            "-n",
            min=0,
            help="How many queries to show; 0 for all. [default: 10; with median all]",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of the queries that --select random draws.")
    ] = 0,
    classes: Annotated[
        str | None,
        typer.Option("--classes", metavar="A,B", help="Choose among these classes only."),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option(
            "--query",
            metavar="NAME|ROW",
            help="Show this query, named by its path, file name or row; may be repeated.",
        ),
    ] = None,
    size: Annotated[
        int, typer.Option("--size", min=32, max=512, help="Side of a photo in pixels.")
    ] = 112,
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            metavar="NAME|FOLDER",
            autocompletion=_names.prepared,
            help="Prepared data set that holds the pictures, if it is not found by itself.",
        ),
    ] = "",
    label: _console.LabelOption = None,
) -> Made:
    """Show sketches and the photos ranked first for them, right and wrong; prints the path.

    The sheet says how its queries were chosen. Beside it lies the same as a table (.tsv).
    """
    from sbirctl.pipeline.sheet import sheet
    from sbirctl.report.sheet_selection import Selection

    if count is None:
        count = 0 if select == "median" else 10
    listed = tuple(part.strip() for part in (classes or "").split(",") if part.strip())
    path = sheet(
        [_console.input_path(source) for source in sources or []],
        output,
        selection=Selection(select, count, seed, listed, tuple(query or ())),
        k=k,
        size=size,
        store=dataset,
        names=label or (),
        report=_console.reporter(),
    )
    return made(path, values=path.with_suffix(".tsv"))
