"""`sbirctl edges`: a sheet of edge maps to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sbirctl.cli import _console

panel = "Pictures and tables"
order = 50


def command(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Files of photos.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="File to write, .png, .svg or .pdf."),
    ] = Path("edges.png"),
    method: Annotated[
        str, typer.Option("--method", help="Edge method to show beside Canny: gb or gb-color.")
    ] = "gb",
    size: Annotated[
        int, typer.Option("--size", min=8, help="Side in pixels that photos are resized to.")
    ] = 256,
    set_: _console.SetOption = None,
    device: _console.DeviceOption = "auto",
    print0: _console.Print0Option = False,
) -> None:
    """Draw photo, boundary strength, thin edges and Canny side by side; prints the sheet's path."""
    from sbirctl.core.config import parse_assignments
    from sbirctl.pipeline.edges import edge_sheet

    made = edge_sheet(
        [path.expanduser() for path in images],
        output.expanduser(),
        method=method,
        parameters=parse_assignments(set_ or []),
        size=size,
        device=device,
        report=_console.reporter(),
    )
    _console.print_path(made, null=print0)
