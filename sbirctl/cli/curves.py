"""`sbirctl curves`: training curves, and precision along the ranking."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console

panel = "Pictures and tables"
order = 4


def command(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|RUN|-",
            help="Runs or embeddings, to draw in one picture. [default: the newest run]",
            show_default=False,
        ),
    ] = None,
    output: _console.PictureOption = None,
    training: Annotated[
        bool,
        typer.Option(
            "--training",
            help="Draw losses, validation and unseen figures of the training logs instead.",
        ),
    ] = False,
    most: Annotated[int, typer.Option("--max-k", min=2, help="Largest K of precision@K.")] = 200,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of the bootstrap that the bands come from.")
    ] = 0,
    columns: _console.ColumnsOption = 2,
    print0: _console.Print0Option = False,
) -> None:
    """Draw precision over recall and at K, or with --training the logs; prints the path.

    Bands are 95 % bootstrap intervals over queries. Beside the picture lies the same as CSV.
    """
    from sbirctl.pipeline.curves import curves

    picture = curves(
        [_console.input_path(source) for source in sources or []],
        output,
        kind="training" if training else "ranking",
        most=most,
        seed=seed,
        columns=1 if columns == 1 else 2,
        report=_console.reporter(),
    )
    _console.print_path(picture, null=print0)
