"""`sbirctl runs`: what has been trained."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console

panel = "What there is"

app = typer.Typer(help="List the runs, the latest first, or remove some.")

_COLUMNS = ("run", "state", "epochs", "validation", "minutes", "parameters", "images/s", "path")
_LEAST = ("path", "images/s", "parameters", "minutes", "epochs")


def _complete(incomplete: str) -> list[str]:
    from sbirctl.pipeline.runs import rows

    return [row["run"] for row in rows() if row["run"].startswith(incomplete)]


@app.callback(invoke_without_command=True)
def default(context: typer.Context, json: _console.JsonOption = False) -> None:
    """List the runs, the latest first, or remove some."""
    if context.invoked_subcommand is None:
        list_all(json)


@app.command("list")
def list_all(json: _console.JsonOption = False) -> None:
    """List the runs, the latest first.

    `validation` is the best map@all on held-out data; `minutes` are of training, `images/s` of
    embedding.
    """
    from sbirctl.pipeline.runs import rows

    found = rows()
    if json:
        _console.print_json(found)
    else:
        body = [[dict(row)[key] for key in _COLUMNS] for row in found]
        _console.print_table(_COLUMNS, body, least=_LEAST)


@app.command("rm")
def remove(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...", help="Names of the runs to remove.", autocompletion=_complete
        ),
    ],
    print0: _console.Print0Option = False,
) -> None:
    """Remove runs with their checkpoints, embeddings and logs."""
    from sbirctl.pipeline.runs import remove as remove_runs

    for path in remove_runs(names):
        _console.print_path(path, null=print0)
