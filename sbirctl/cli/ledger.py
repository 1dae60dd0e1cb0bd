"""`sbirctl ledger`: what has been published, and what is odd in it."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console
from sbirctl.core.errors import UsageError, nearest

panel = "What there is"


def command(
    task: Annotated[
        str, typer.Option("--task", metavar="TASK", help="List only figures of this task.")
    ] = "",
    dataset: Annotated[
        str, typer.Option("--dataset", metavar="NAME", help="List only figures of this data set.")
    ] = "",
    flagged: Annotated[
        bool, typer.Option("--flagged", help="List only figures that contradict each other.")
    ] = False,
    json: _console.JsonOption = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, as docs/ has it.")
    ] = False,
) -> None:
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
    if json:
        listed = [{**asdict(row), "flags": list(row.flags)} for row in rows]
        _console.print_json({"schema": 1, "rows": listed})
    elif markdown:
        print(page(rows), end="")
    else:
        _console.print_table(HEADER, [cells(row) for row in rows])
