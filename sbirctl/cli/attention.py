"""`sbirctl attention`: a sheet of where a trained model looks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Made, made

panel = "Pictures and tables"
order = 40


def command(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            autocompletion=_names.runs,
            help="A run's name or folder, or a checkpoint; - reads its path from stdin.",
        ),
    ],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE", help="Files of photos and sketches.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="File to write, .png, .svg or .pdf."),
    ] = Path("attention.png"),
    modality: Annotated[
        Literal["auto", "photo", "sketch"],
        typer.Option(
            "--modality",
            help="What the pictures are; auto: colourless ones on white paper are sketches.",
        ),
    ] = "auto",
    weights: Annotated[
        str,
        typer.Option(
            "--weights",
            autocompletion=_names.weights,
            help="File of the weights that training started from, if they are not where they were.",
        ),
    ] = "",
    device: _console.DeviceOption = "auto",
) -> Made:
    """Draw what a model's levels and class token respond to; prints the sheet's path.

    For runs of models with attention: ffmln and drclip.
    """
    from sbirctl.pipeline.attention import attention

    path = attention(
        str(_console.input_path(run)) if run == "-" else run,
        [path.expanduser() for path in images],
        output.expanduser(),
        modality=modality,
        weights=weights,
        device=device,
        report=_console.reporter(),
    )
    return made(path)
