"""`sbirctl home`: what lies where, how large it is, and what is left over."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console
from sbirctl.cli._output import Listing, Made, as_json, listing, made_all
from sbirctl.core.errors import UsageError

panel = "What there is"


def command(
    clean: Annotated[
        bool,
        typer.Option("--clean", help="Show what is left over and why; on a terminal, ask."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --clean: remove it without asking.")
    ] = False,
) -> Listing | Made:
    """List what the home folder ($SBIRCTL_HOME) holds: data sets, runs, galleries, their sizes.

    Left over is what a failed or stopped call left empty or half-written. Data sets, runs and
    galleries are removed by `datasets rm`, `runs rm` and `galleries rm`.
    """
    from dataclasses import asdict

    from sbirctl.core.files import display_path, human_bytes
    from sbirctl.core.home import home
    from sbirctl.pipeline import home as stage

    if yes and not clean:
        raise UsageError("--yes removes what --clean shows.", "Type --clean --yes.")
    found = stage.entries()
    if clean:
        found = [one for one in found if one.left_over]
    if clean and yes:
        return made_all(stage.clean(found))
    size = human_bytes(sum(one.bytes for one in found))
    if clean and not found:
        _console.reporter().note("Nothing is left over.")
    plan = listing(
        [asdict(one) for one in found],
        {
            "kind": "kind",
            "name": "name",
            "size": lambda row: human_bytes(row["bytes"]),
            "left over": "left_over",
            "path": lambda row: display_path(row["path"]),
        },
        least=("path", "left over"),
        title=display_path(home()),
        home=home(),
        bytes=sum(one.bytes for one in found),
    )
    if not clean or not found:
        return plan
    if not _console.can_ask() or as_json():
        _console.reporter().note(f"`sbirctl home --clean --yes` removes these, {size}.")
        return plan
    plan.show()
    if typer.confirm(f"Remove these {len(found)}, {size}?", err=True):
        return made_all(stage.clean(found))
    return made_all([])
