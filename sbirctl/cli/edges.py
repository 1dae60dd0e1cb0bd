"""`sbirctl edges`: a sheet of edge maps to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Made, made

panel = "Pictures and tables"
order = 50


def command(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Files of photos.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="File to write, .png, .svg or .pdf."),
    ] = Path("edges.png"),
    method: Annotated[
        Literal["gb", "gb-color"],
        typer.Option("--method", help="Edge method to show beside Canny."),
    ] = "gb",
    size: Annotated[
        int, typer.Option("--size", min=8, help="Side in pixels that photos are resized to.")
    ] = 256,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a parameter of the edge method; may be repeated.",
            autocompletion=_names.edge_parameters,
        ),
    ] = None,
    device: _console.DeviceOption = "auto",
) -> Made:
    """Draw photo, boundary strength, thin edges and Canny side by side; prints the sheet's path."""
    from sbirctl.core.config import parse_assignments
    from sbirctl.pipeline.edges import edge_sheet

    path = edge_sheet(
        [path.expanduser() for path in images],
        output.expanduser(),
        method=method,
        parameters=parse_assignments(set_ or []),
        size=size,
        device=device,
        report=_console.reporter(),
    )
    return made(path)
