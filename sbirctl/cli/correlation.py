"""`sbirctl correlation`: which classes' sketches and photos are alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sbirctl.cli import _console
from sbirctl.cli._output import Made, made

panel = "Pictures and tables"
order = 3


def command(
    sources: Annotated[
        list[str] | None,
        _console.runs_argument("Embeddings or runs, to draw side by side."),
    ] = None,
    output: _console.PictureOption = None,
    classes: Annotated[
        str | None, typer.Option("--classes", metavar="A,B", help="Draw only these classes.")
    ] = None,
    values: Annotated[
        bool, typer.Option("--values", help="Write the values into the picture.")
    ] = False,
    pairs: Annotated[
        int, typer.Option("--confused", min=0, help="How many of the most confused pairs to keep.")
    ] = 20,
    k: Annotated[
        int,
        typer.Option(
            "--top",
            "-k",
            min=1,
            max=1000,
            help="How many photos of each sketch count for a pair's share.",
        ),
    ] = 10,
    columns: _console.ColumnsOption = 2,
    label: _console.LabelOption = None,
) -> Made:
    """Draw the cosines of class means, sketches by photos; prints the picture's path.

    Classes are ordered by similarity. A pair is confused where its cosine is near that of the
    sketches' own class, or above it (margin); its share is how many of the first K photos of the
    one class's sketches are of the other. Beside the picture lie the pairs (.pairs.csv) and all
    values (.csv).
    """
    from sbirctl.pipeline.correlation import correlation

    report = _console.reporter()
    found = correlation(
        [_console.input_path(source) for source in sources or []],
        output,
        classes=tuple(part.strip() for part in (classes or "").split(",") if part.strip()),
        values=values,
        pairs=pairs,
        k=k,
        names=label or (),
        columns=1 if columns == 1 else 2,
        report=report,
    )
    return made(Path(found.pop("picture")), **found)
