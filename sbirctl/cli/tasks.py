"""`sbirctl tasks`: what is trained on and tested, and what may be chosen about it."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _names
from sbirctl.cli._output import Listing, listing

panel = "What there is"


def command(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Name of a task.", autocompletion=_names.tasks)
    ] = "",
) -> Listing:
    """List the tasks, or with NAME what `--set` may choose about one."""
    from sbirctl.pipeline.tasks import options, rows

    found = options(name) if name else rows()
    header = ("option", "default", "help") if name else ("name", "split", "target", "summary")
    return listing(found, header)
