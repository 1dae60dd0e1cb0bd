"""`sbirctl runs`: what has been trained."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _names
from sbirctl.cli._output import Listing, Made, listing, made, made_all

panel = "What there is"

app = typer.Typer(help="List the runs, the latest first, name one or remove some.")

_COLUMNS = (
    "run",
    "label",
    "state",
    "epochs",
    "validation",
    "minutes",
    "parameters",
    "images/s",
    "path",
)
_LEAST = ("path", "images/s", "parameters", "minutes", "epochs")


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> Listing | None:
    """List the runs, the latest first, name one or remove some."""
    return list_all() if context.invoked_subcommand is None else None


@app.command("list")
def list_all() -> Listing:
    """List the runs, the latest first.

    `validation` is the best map@all on held-out data; `minutes` are of training, `images/s` of
    embedding.
    """
    from sbirctl.pipeline.runs import rows

    return listing(rows(), _COLUMNS, least=_LEAST)


@app.command("rm")
def remove(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...", help="Names of the runs to remove.", autocompletion=_names.runs
        ),
    ],
) -> Made:
    """Remove runs with their checkpoints, embeddings and logs."""
    from sbirctl.pipeline.runs import remove as remove_runs

    return made_all(remove_runs(names))


@app.command("label")
def label(
    name: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run, as every command takes it.", autocompletion=_names.runs
        ),
    ],
    text: Annotated[
        str,
        typer.Argument(metavar="TEXT", help='What to call it; "" forgets the label.'),
    ],
) -> Made:
    """Keep a short name with a run, for tables and legends; prints the run's folder."""
    from sbirctl.pipeline.runs import label as label_run

    return made(label_run(name, text), label=text.strip())
