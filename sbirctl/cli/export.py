"""`sbirctl export`: a model for machines without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Made, made

panel = "Your own photos"


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|MODEL|-",
            autocompletion=_names.runs_and_models,
            help="A run, a checkpoint or a model; - reads its path from stdin. [default: the"
            " newest run]",
            show_default=False,
        ),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder to make. [default: beside the run, or in the home's exports]",
            show_default=False,
        ),
    ] = None,
    settings: _console.SetOption = None,
    weights: Annotated[
        str,
        typer.Option(
            "--weights",
            autocompletion=_names.weights,
            metavar="FILE",
            help="File of the weights that training started from, if they are not where they were.",
        ),
    ] = "",
    seed: _console.SeedOption = 0,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Weights of eight bits: smaller files, other vectors. What that costs is measured "
            "and kept in card.toml.",
        ),
    ] = False,
) -> Made:
    """Write a model as ONNX files, which need no torch; prints the folder.

    The vectors are compared with torch's on 64 pictures, and the worst cosine is kept in card.toml.
    An export with --int8 is only used where its folder is named: `sbirctl index --model FOLDER`.
    """
    from sbirctl.core.home import newest_run
    from sbirctl.pipeline.export import export

    name = str(_console.input_path(what)) if what == "-" else what or str(newest_run())
    folder = export(
        name,
        output=output.expanduser() if output else None,
        assignments=settings or [],
        weights=weights,
        seed=seed,
        int8=int8,
        report=_console.reporter(),
    )
    return made(folder, card=folder / "card.toml")
