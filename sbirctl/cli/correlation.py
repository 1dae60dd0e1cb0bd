"""`sbirctl correlation`: which classes' sketches and photos are alike."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console

panel = "Pictures and tables"
order = 3


def command(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|RUN|-",
            help="Embeddings or runs, to draw side by side. [default: the newest run]",
            show_default=False,
        ),
    ] = None,
    output: _console.PictureOption = None,
    classes: Annotated[
        str | None, typer.Option("--classes", metavar="A,B", help="Draw only these classes.")
    ] = None,
    values: Annotated[
        bool, typer.Option("--values", help="Write the values into the picture.")
    ] = False,
    pairs: Annotated[
        int, typer.Option("--pairs", min=0, help="How many confused pairs to print.")
    ] = 20,
    k: Annotated[
        int,
        typer.Option(
            "-k", min=1, max=1000, help="How many photos of each sketch count for a pair's share."
        ),
    ] = 10,
    columns: _console.ColumnsOption = 2,
    json: _console.JsonOption = False,
) -> None:
    """Draw the cosines of class means, sketches by photos; prints the most confused pairs.

    Classes are ordered by similarity. A pair is confused where its cosine is near that of the
    sketches' own class, or above it (margin); its share is how many of the first K photos of the
    one class's sketches are of the other. Beside the picture lie all values as CSV.
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
        columns=1 if columns == 1 else 2,
        report=report,
    )
    if json:
        _console.print_json(found)
        return
    from sbirctl.core.files import display_path

    report.note(f"The picture is {display_path(found['picture'])}.")
    header = ("run", "sketches of", "photos of", "cosine", "own", "margin", f"share@{k}")
    keys = ("sketch", "photo", "cosine", "own", "margin", "share")
    rows = [
        (run["run"], *(pair[key] for key in keys)) for run in found["runs"] for pair in run["pairs"]
    ]
    _console.print_table(header, rows)
