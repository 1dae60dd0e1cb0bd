"""`sbirctl home`: what lies where, how large it is, and what is left over."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console
from sbirctl.core.errors import UsageError

panel = "What there is"


def command(
    json: _console.JsonOption = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Show what is left over and could be removed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --clean: remove it.")] = False,
) -> None:
    """List what the home folder ($SBIRCTL_HOME) holds: data sets, runs, galleries, their sizes.

    Left over is what a failed or stopped call left empty. Data sets, runs and galleries are
    removed by `datasets rm`, `runs rm` and `galleries rm`.
    """
    from sbirctl.core.files import display_path, human_bytes
    from sbirctl.core.home import home
    from sbirctl.pipeline import home as stage

    if yes and not clean:
        raise UsageError("--yes removes what --clean shows.", "Type --clean --yes.")
    found = stage.entries()
    if clean:
        found = [one for one in found if one.left_over]
    if clean and yes:
        for path in stage.clean(found):
            _console.print_path(path)
        return
    if json:
        rows = [
            {"kind": one.kind, "name": one.name, "bytes": one.bytes,
             "left_over": one.left_over, "path": display_path(one.path)}
            for one in found
        ]  # fmt: skip
        total = sum(one.bytes for one in found)
        _console.print_json(
            {"schema": 1, "home": display_path(home()), "bytes": total, "entries": rows}
        )
        return
    body = [
        [one.kind, one.name, human_bytes(one.bytes), one.left_over, display_path(one.path)]
        for one in found
    ]
    header = ("kind", "name", "size", "left over", "path")
    _console.print_table(header, body, title=display_path(home()), least=("path", "left over"))
    if clean and found:
        _console.reporter().note("`sbirctl home --clean --yes` removes these.")
