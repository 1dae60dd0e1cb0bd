"""`sbirctl tasks`: what is trained on and tested, and what may be chosen about it."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console

panel = "What there is"


def _tasks(incomplete: str) -> list[str]:
    from sbirctl.tasks import TASKS

    return [name for name in TASKS.names() if name.startswith(incomplete)]


def command(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Name of a task.", autocompletion=_tasks)
    ] = "",
    json: _console.JsonOption = False,
) -> None:
    """List the tasks, or with NAME what `--set` may choose about one."""
    from sbirctl.pipeline.tasks import options, rows

    found = options(name) if name else rows()
    if json:
        _console.print_json(found)
        return
    _console.print_table(list(found[0]), [list(row.values()) for row in found])
