"""`sbirctl report`: ours against published."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sbirctl.cli import _console
from sbirctl.cli.evaluate import MemoryOption, MetricOption, RankDeviceOption, ranking_options
from sbirctl.core.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sbirctl.report.comparison import Row

panel = "Pictures and tables"

_FORMATS = ("table", "md", "latex", "csv", "json")
_ENDINGS = {".md": "md", ".tex": "latex", ".csv": "csv", ".json": "json", ".tsv": "table"}


def command(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|RUN|-",
            help="Runs or embeddings; - reads a path from stdin. [default: the newest run]",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="paper|ledger|MODEL",
            help="Whose published figures to compare with: each model's own paper's, those of "
            "every system in the ledger, or those of MODEL's paper.",
        ),
    ] = "paper",
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(_FORMATS),
            help="Format of the output. [default: by the ending of -o, or table]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="File to write, instead of printing."),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            min=0.0,
            help="Exit with 1 if a figure differs by more than this, or none can be compared.",
        ),
    ] = None,
    metric: MetricOption = None,
    definition: Annotated[
        str | None,
        typer.Option(
            "--definition",
            "-d",
            help="Measure our runs by this definition, instead of the paper's.",
        ),
    ] = None,
    memory: MemoryOption = "auto",
    device: RankDeviceOption = "cpu",
) -> None:
    """Set a run's figures beside those its paper prints.

    One row a data set, task and metric, measured by the paper's definition. Where two figures
    cannot be compared, the reason stands instead of the difference. Runs that differ only in the
    seed make one row, mean ± standard deviation.
    """
    from sbirctl.pipeline.report import Request, check, report
    from sbirctl.retrieval import definitions

    chosen = _format(form, output)
    request = Request(
        against=against,
        metrics=metric or [],
        definition=None if definition is None else definitions.get(definition),
        options=ranking_options(None, 64, memory, device),
    )
    places = [_console.input_path(run) for run in runs or []]
    rows = report(places or [None], request, _console.reporter())
    if output is None:
        _print(rows, chosen)
    else:
        _write(rows, chosen, output.expanduser())
    if tolerance is not None:
        check(rows, tolerance)


def _format(form: str | None, output: Path | None) -> str:
    if form is None:
        return _ENDINGS.get(output.suffix.lower(), "table") if output else "table"
    if form not in _FORMATS:
        raise UsageError(f"There is no format {form!r}.", nearest(form, _FORMATS))
    return form


def _print(rows: Sequence[Row], form: str) -> None:
    from sbirctl.report import tables

    if form != "table" or not sys.stdout.isatty():
        print(tables.FORMATS[form](rows), end="")
        return
    header, body, notes = tables.readable(rows)
    _console.print_table(header, body)
    for mark, text in notes:
        print(f"{mark} {text}")


def _write(rows: Sequence[Row], form: str, target: Path) -> None:
    from sbirctl.core.files import atomic_open
    from sbirctl.report import tables

    with atomic_open(target, "w") as stream:
        stream.write(tables.FORMATS[form](rows))
    _console.print_path(target)
