"""`sbirctl runs`: what has been trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing, Made, listing, made, made_all

panel = "What there is"

app = typer.Typer(help="List the runs, the latest first, name, pack or remove some.")

_COLUMNS = (
    "run",
    "label",
    "state",
    "epochs",
    "validation",
    "minutes",
    "parameters",
    "images/s",
    "origin",
    "path",
)
_LEAST = ("path", "images/s", "parameters", "minutes", "origin", "epochs")
LicenceOption = Annotated[
    str,
    typer.Option(
        "--licence",
        metavar="NAME",
        autocompletion=_names.licences,
        help="Licence of the weights, as mit or cc-by-nc-4.0, for the page that goes with them.",
    ),
]
OnnxOption = Annotated[
    bool,
    typer.Option("--no-onnx", help="Leave the exported model out, and do not make one."),
]


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> Listing | None:
    """List the runs, the latest first, name, pack or remove some."""
    return list_all() if context.invoked_subcommand is None else None


@app.command("list")
def list_all() -> Listing:
    """List the runs, the latest first.

    `validation` is the best map@all on held-out data; `minutes` are of training, `images/s` of
    embedding, `origin` is where a run came from.
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


@app.command("pack")
def pack(
    name: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run, as every command takes it.", autocompletion=_names.runs
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="File to write, ending in .sbirctl.zip. [default: the run's name, here]",
            show_default=False,
        ),
    ] = None,
    licence: LicenceOption = "",
    no_onnx: OnnxOption = False,
) -> Made:
    """Write a run as one file, to be sent by any way; prints the file.

    It holds checkpoint, settings, log, figures, ONNX files and a page about them, with the digest
    of each. No embeddings and no pictures are in it.
    """
    from sbirctl.pipeline.sharing import pack as pack_run

    path, package = pack_run(
        name, output, licence=licence, onnx=not no_onnx, report=_console.reporter()
    )
    return made(path, run=package.run, files=package.to_json()["files"])


@app.command("unpack")
def unpack(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `runs pack` wrote.")],
) -> Made:
    """Take a packed run in; prints its folder. Digests are compared, and nothing is executed."""
    from sbirctl.pipeline.sharing import unpack as unpack_run

    folder = unpack_run(path.expanduser(), _console.reporter())
    return made(folder, run=folder.name)
