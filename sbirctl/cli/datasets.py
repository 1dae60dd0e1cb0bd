"""`sbirctl datasets`: which are known, which are prepared, whether one is whole, what is in it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sbirctl.cli import _console

panel = "What there is"
app = typer.Typer(help="List the data sets, read a prepared one back, or look at it.")


@app.callback(invoke_without_command=True)
def list_(context: typer.Context, json: _console.JsonOption = False) -> None:
    """List the data sets: known, prepared, where, how big."""
    if context.invoked_subcommand is not None:
        return
    from sbirctl.core.files import display_path, human_bytes
    from sbirctl.pipeline.datasets import list_datasets

    listed = list_datasets()
    if json:
        rows = [asdict(one) | {"folder": one.folder and str(one.folder)} for one in listed]
        _console.print_json(rows)
        return
    header = ("name", "state", "photos", "sketches", "classes", "px", "disk", "folder", "title")
    _console.print_table(
        header,
        [
            (
                one.name,
                one.state,
                one.photos,
                one.sketches,
                one.classes,
                one.size,
                None if one.bytes is None else human_bytes(one.bytes),
                one.folder and display_path(one.folder),
                one.title,
            )
            for one in listed
        ],
        least=("folder", "title", "px", "disk", "classes"),
    )


def _prepared(incomplete: str) -> list[str]:
    from sbirctl.core.home import datasets_dir

    root = datasets_dir()
    names = [path.name for path in root.iterdir()] if root.is_dir() else []
    return sorted(name for name in names if name.startswith(incomplete))


@app.command("rm")
def remove(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Data sets.", autocompletion=_prepared),
    ],
    print0: _console.Print0Option = False,
) -> None:
    """Remove prepared data sets; prints their folders. What they were made from stays."""
    from sbirctl.pipeline.datasets import remove_datasets

    for path in remove_datasets(names):
        _console.print_path(path, null=print0)


@app.command()
def verify(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a prepared data set.")],
) -> None:
    """Read a prepared data set back and check every digest and count; prints its path."""
    from sbirctl.pipeline.datasets import verify_dataset

    report = _console.reporter()
    store = verify_dataset(name, report=report)
    report.note(f"{store.name} is whole: store {store.digest[:12]}.")
    _console.print_path(store.folder)


@app.command()
def table(json: _console.JsonOption = False) -> None:
    """Dr. CLIP's Table 1 from what is prepared here, beside the published numbers."""
    from sbirctl.pipeline.datasets_table import ITEMS, drclip_table

    rows = drclip_table()
    if json:
        _console.print_json([asdict(row) for row in rows])
        return
    header = ["task", "data"]
    for item in ITEMS:
        header += [item, "published"]
    _console.print_table(
        [*header, "note"],
        [
            (
                row.task,
                row.title,
                *(n for pair in zip(row.prepared, row.published, strict=True) for n in pair),
                row.note,
            )
            for row in rows
        ],
    )


@app.command()
def sheet(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a prepared data set.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write, .png or .pdf. [default: in the data set's folder]",
        ),
    ] = None,
    classes: Annotated[
        str | None, typer.Option("--classes", metavar="A,B", help="Show only these classes.")
    ] = None,
    each: Annotated[
        int,
        typer.Option(
            "--each",
            min=1,
            max=100,
            help="Show at most this many sketches, and photos, of each class.",
        ),
    ] = 3,
    size: Annotated[
        int, typer.Option("--size", min=32, max=512, help="Side of a picture in pixels.")
    ] = 96,
    across: Annotated[
        int,
        typer.Option(
            "--across", min=1, max=100, help="Show at most this many classes side by side."
        ),
    ] = 16,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of the samples that are shown.")
    ] = 0,
    print0: _console.Print0Option = False,
) -> None:
    """Show samples, sketches over photos, one column a class; prints the picture's path."""
    from sbirctl.pipeline.datasets import sheet_dataset

    path = sheet_dataset(
        name,
        output,
        classes=tuple(part.strip() for part in (classes or "").split(",") if part.strip()),
        each=each,
        size=size,
        across=across,
        seed=seed,
        report=_console.reporter(),
    )
    _console.print_path(path, null=print0)
