"""`sbirctl weights`: open weights to start from, by name."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing, listing

panel = "What there is"
_COLUMNS = ("name", "size", "dim", "text", "megabytes", "licence", "data", "figure")
_LEAST = ("figure", "data", "licence", "text")


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Only these.", autocompletion=_names.named_weights
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model", help="Only those this model can start from.", autocompletion=_names.models
        ),
    ] = "",
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Also time one image with each network on the processor."),
    ] = False,
) -> Listing:
    """List open weights to start from: `--weights NAME` sets network, size, mean and deviation."""
    from sbirctl.pipeline.weights import rows

    found = rows(names or (), model=model, measure=measure, report=_console.reporter())
    columns = (*_COLUMNS[:5], *(["milliseconds"] if measure else []), *_COLUMNS[5:])
    return listing(found, columns, least=_LEAST)
