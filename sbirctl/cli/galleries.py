"""`sbirctl galleries`: which there are, and removing one."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console

panel = "Your own photos"
order = 4

app = typer.Typer(help="Galleries of your own photos: list and remove them.")


def _known(incomplete: str) -> list[str]:
    from sbirctl.galleries.gallery import list_galleries

    return [info.name for info in list_galleries() if info.name.startswith(incomplete)]


@app.callback(invoke_without_command=True)
def _list(context: typer.Context, json: _console.JsonOption = False) -> None:
    """List galleries, the one indexed last first; of damaged ones why."""
    if context.invoked_subcommand is not None:
        return
    from dataclasses import asdict

    from sbirctl.galleries.gallery import list_galleries

    found = list_galleries()
    if json:
        _console.print_json({"schema": 1, "galleries": [asdict(info) for info in found]})
        return
    for info in found:
        if info.damaged:
            _console.reporter().warn(info.damaged)
    rows = [
        (info.name, "damaged", "", "", "")
        if info.damaged
        else (info.name, info.photos, info.model, info.dim, info.engine)
        for info in found
    ]
    _console.print_table(("gallery", "photos", "model", "dim", "engine"), rows)


@app.command("rm")
def _rm(
    names: Annotated[
        list[str],
        typer.Argument(help="Names of the galleries to remove.", autocompletion=_known),
    ],
    print0: _console.Print0Option = False,
) -> None:
    """Remove galleries; prints their folders. Photos stay, and so does what a server keeps."""
    from sbirctl.pipeline.index import remove

    for path in remove(names):
        _console.print_path(path, null=print0)
