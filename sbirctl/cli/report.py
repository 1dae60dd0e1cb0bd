"""`sbirctl report`: ours against published."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing, Made, Table, Text
from sbirctl.cli.evaluate import MemoryOption, MetricOption, RankDeviceOption
from sbirctl.core.errors import SbirctlError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sbirctl.report.comparison import Row

panel = "Pictures and tables"

_ENDINGS = {".md": "md", ".tex": "latex", ".csv": "csv", ".json": "json", ".tsv": "table"}


def command(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|RUN|-",
            autocompletion=_names.runs,
            help="Runs or embeddings; - reads a path from stdin. [default: the newest run]",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="paper|ledger|MODEL",
            autocompletion=_names.published,
            help="Whose published figures to compare with: each model's own paper's, those of "
            "every system in the ledger, or those of MODEL's paper.",
        ),
    ] = "paper",
    form: Annotated[
        Literal["table", "md", "latex", "csv"] | None,
        typer.Option(
            "--format",
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
    label: _console.LabelOption = None,
    metric: MetricOption = None,
    definition: Annotated[
        str | None,
        typer.Option(
            "--definition",
            "-d",
            metavar="NAME",
            help="Measure our runs by this definition, instead of the paper's.",
            autocompletion=_names.definitions,
        ),
    ] = None,
    memory: MemoryOption = "auto",
    device: RankDeviceOption = "cpu",
) -> Listing | Made | Text:
    """Set a run's figures beside those its paper prints.

    One row a data set, task and metric, measured by the paper's definition. Where two figures
    cannot be compared, the reason stands instead of the difference. Runs that differ only in the
    seed make one row, mean ± standard deviation.
    """
    from sbirctl.pipeline.report import ReportRequest, report
    from sbirctl.report import tables
    from sbirctl.retrieval import definitions
    from sbirctl.retrieval.evaluation import Options

    chosen = _format(form, output)
    request = ReportRequest(
        against=against,
        metrics=metric or [],
        definition=None if definition is None else definitions.get(definition),
        options=Options.typed(memory=memory, device=device),
        labels=label or (),
    )
    places = [_console.input_path(run) for run in runs or []]
    rows = report(places or [None], request, _console.reporter())
    fields: dict[str, object] = {"rows": [asdict(row) for row in rows]}
    failure = None if tolerance is None else _failure(rows, tolerance)
    if output is not None:
        target = _written(rows, chosen, output.expanduser())
        return Made({"path": target, **fields}, (target,), failure=failure)
    if chosen == "table":
        return Listing(fields, (_table(rows),), failure=failure)
    return Text(fields, tables.FORMATS[chosen](rows), failure=failure)


def _failure(rows: Sequence[Row], tolerance: float) -> SbirctlError | None:
    from sbirctl.pipeline.report import check

    try:
        check(rows, tolerance)
    except SbirctlError as found:
        return found
    return None


def _format(form: str | None, output: Path | None) -> str:
    if form is None:
        return _ENDINGS.get(output.suffix.lower(), "table") if output else "table"
    return form


def _table(rows: Sequence[Row]) -> Table:
    """Short cells with notes on a terminal, every column in a pipe."""
    from sbirctl.report import tables

    if not sys.stdout.isatty():
        return Table(tables.HEADER, [tables.cells(row) for row in rows])
    header, body, notes = tables.readable(rows)
    return Table(header, body, after="\n".join(f"{mark} {text}" for mark, text in notes))


def _written(rows: Sequence[Row], form: str, target: Path) -> Path:
    from sbirctl.core.files import atomic_open
    from sbirctl.report import tables

    with atomic_open(target, "w") as stream:
        stream.write(tables.FORMATS[form](rows))
    return target
