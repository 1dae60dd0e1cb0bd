"""`sbirctl tsne`: a picture of the embedding space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sbirctl.cli import _console

panel = "Pictures and tables"
order = 1


def command(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|RUN|-",
            help="Embeddings (HDF5, NPZ) or a run; - reads its path from stdin. "
            "[default: the newest run]",
            show_default=False,
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
    per_class: Annotated[
        int | None,
        typer.Option(
            "--per-class", min=1, help="Show at most this many sketches, and photos, of each class."
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
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="FILE|RUN",
            help="Embeddings or run to draw beside it, in the same colours.",
        ),
    ] = None,
    print0: _console.Print0Option = False,
) -> None:
    """Draw sketches and photos with t-SNE; prints the picture's path.

    Beside the picture lie the coordinates as CSV, and as JSON the counts, trustworthiness and
    modality gap.
    """
    from sbirctl.pipeline.tsne import tsne
    from sbirctl.report.tsne import TsneSettings

    listed = tuple(part.strip() for part in (classes or "").split(",") if part.strip())
    picture = tsne(
        _console.input_path(source) if source is not None else None,
        output,
        settings=TsneSettings(listed, per_class or 0, max_points, perplexity, seed),
        layout=layout,
        columns=1 if columns == 1 else 2,
        compare=Path(compare).expanduser() if compare is not None else None,
        report=_console.reporter(),
    )
    _console.print_path(picture, null=print0)
