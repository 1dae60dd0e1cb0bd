"""`sbirctl tsne`: a picture of the embedding space."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sbirctl.cli import _console
from sbirctl.cli._output import Made, made

panel = "Pictures and tables"
order = 1


def command(
    sources: Annotated[
        list[str] | None,
        _console.runs_argument(
            "Embeddings (HDF5, NPZ) or runs, to draw side by side in the same colours; - "
            "reads a path from stdin."
        ),
    ] = None,
    output: _console.PictureOption = None,
    layout: Annotated[
        Literal["one", "two"],
        typer.Option(
            "--layout", help="One panel for sketches and photos together, or two side by side."
        ),
    ] = "one",
    columns: _console.ColumnsOption = 2,
    classes: Annotated[
        str | None, typer.Option("--classes", metavar="A,B", help="Show only these classes.")
    ] = None,
    each: Annotated[
        int | None,
        typer.Option(
            "--each", min=1, help="Show at most this many sketches, and photos, of each class."
        ),
    ] = None,
    max_points: Annotated[
        int,
        typer.Option("--max-points", min=1, help="Show at most this many points (up to 20000)."),
    ] = 3000,
    perplexity: Annotated[
        float,
        typer.Option(
            "--perplexity", help="Perplexity of t-SNE: about how many neighbours of a point count."
        ),
    ] = 30.0,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", min=0, help="Seed of which points are shown and where they are put."
        ),
    ] = 0,
    label: _console.LabelOption = None,
) -> Made:
    """Draw sketches and photos with t-SNE; prints the picture's path.

    Beside the picture lie the coordinates as CSV, and as JSON the counts, trustworthiness and
    modality gap.
    """
    from sbirctl.pipeline.tsne import tsne
    from sbirctl.report.tsne import TsneSettings

    listed = tuple(part.strip() for part in (classes or "").split(",") if part.strip())
    picture = tsne(
        [_console.input_path(source) for source in sources or []],
        output,
        settings=TsneSettings(listed, each or 0, max_points, perplexity, seed),
        layout=layout,
        columns=1 if columns == 1 else 2,
        names=label or (),
        report=_console.reporter(),
    )
    files = {"values": picture.with_suffix(".csv"), "facts": picture.with_suffix(".json")}
    return made(picture, **files)
