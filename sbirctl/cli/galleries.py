"""`sbirctl galleries`: which there are, and removing one."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing, Made, listing, made_all

panel = "Your own photos"
order = 4

app = typer.Typer(help="Galleries of your own photos: list and remove them.")


@app.callback(invoke_without_command=True)
def _list(context: typer.Context) -> Listing | None:
    """List galleries, the one indexed last first; of damaged ones why."""
    if context.invoked_subcommand is not None:
        return None
    from dataclasses import asdict

    from sbirctl.galleries.gallery import list_galleries

    found = list_galleries()
    for info in found:
        if info.damaged:
            _console.reporter().warn(info.damaged)
    columns: dict[str, Any] = {
        "gallery": "name",
        "photos": lambda row: "damaged" if row["damaged"] else row["photos"],
        **{key: partial(_unless_damaged, key=key) for key in ("model", "dim", "engine")},
    }
    return listing([asdict(info) for info in found], columns)


def _unless_damaged(row: dict[str, Any], key: str) -> object:
    return "" if row["damaged"] else row[key]


@app.command("rm")
def _rm(
    names: Annotated[
        list[str],
        typer.Argument(help="Names of the galleries to remove.", autocompletion=_names.galleries),
    ],
) -> Made:
    """Remove galleries; prints their folders. Photos stay, and so does what a server keeps."""
    from sbirctl.pipeline.index import remove

    return made_all(remove(names))
