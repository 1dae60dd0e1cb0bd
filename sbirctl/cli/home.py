"""`sbirctl home`: what lies where, how large it is, and what is left over."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console
from sbirctl.cli._output import Listing, Made, listing, made_all
from sbirctl.core.errors import UsageError

panel = "What there is"


def command(
    clean: Annotated[
        bool, typer.Option("--clean", help="Show what is left over and could be removed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --clean: remove it.")] = False,
) -> Listing | Made:
    """List what the home folder ($SBIRCTL_HOME) holds: data sets, runs, galleries, their sizes.

    Left over is what a failed or stopped call left empty. Data sets, runs and galleries are
    removed by `datasets rm`, `runs rm` and `galleries rm`.
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
    if clean and found:
        _console.reporter().note("`sbirctl home --clean --yes` removes these.")
    return listing(
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
