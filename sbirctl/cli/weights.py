"""`sbirctl weights`: open weights to start from, by name."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console

panel = "What there is"
_COLUMNS = ("name", "size", "dim", "text", "megabytes", "licence", "data", "figure")


def _names(incomplete: str) -> list[str]:
    from sbirctl.models import named_weights

    return [name for name in named_weights() if name.startswith(incomplete)]


def _models(incomplete: str) -> list[str]:
    from sbirctl.models import MODELS

    return [name for name in MODELS.names() if name.startswith(incomplete)]


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Only these.", autocompletion=_names),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model", help="Only those this model can start from.", autocompletion=_models
        ),
    ] = "",
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Also time one image with each network on the processor."),
    ] = False,
    json: _console.JsonOption = False,
) -> None:
    """List open weights to start from: `--weights NAME` sets network, size, mean and deviation."""
    from sbirctl.pipeline.weights import rows

    found = rows(names or (), model=model, measure=measure, report=_console.reporter())
    if json:
        _console.print_json({"schema": 1, "weights": found})
        return
    columns = (*_COLUMNS[:5], *(["milliseconds"] if measure else []), *_COLUMNS[5:])
    _console.print_table(columns, [[row[c] for c in columns] for row in found])
