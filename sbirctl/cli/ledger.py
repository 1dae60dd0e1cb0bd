"""`sbirctl ledger`: what has been published, and what is odd in it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sbirctl.cli import _names
from sbirctl.cli._output import Listing, Table, Text
from sbirctl.core.errors import UsageError, nearest

panel = "What there is"


def command(
    task: Annotated[
        str,
        typer.Option(
            "--task",
            metavar="TASK",
            help="List only figures of this task.",
            autocompletion=_names.tasks,
        ),
    ] = "",
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            metavar="NAME",
            help="List only figures of this data set.",
            autocompletion=_names.known_datasets,
        ),
    ] = "",
    flagged: Annotated[
        bool, typer.Option("--flagged", help="List only figures that contradict each other.")
    ] = False,
    form: Annotated[
        Literal["table", "md"],
        typer.Option("--format", help="Print a table, or Markdown as docs/ has it."),
    ] = "table",
) -> Listing | Text:
    """List published figures with where each was read and how it was defined."""
    from dataclasses import asdict

    from sbirctl.report.ledger import HEADER, cells, page, read_ledger

    rows = read_ledger()
    for what, wanted, known in (
        ("task", task, {row.task for row in rows}),
        ("data set", dataset, {row.dataset for row in rows}),
    ):
        if wanted and wanted not in known:
            raise UsageError(
                f"The ledger has no {what} {wanted!r}.", nearest(wanted, sorted(known))
            )
    rows = tuple(
        row
        for row in rows
        if task in ("", row.task) and dataset in ("", row.dataset) and (row.flags or not flagged)
    )
    fields = {"rows": [{**asdict(row), "flags": list(row.flags)} for row in rows]}
    if form == "md":
        return Text(fields, page(rows))
    return Listing(fields, (Table(HEADER, [cells(row) for row in rows]),))
