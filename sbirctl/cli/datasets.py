"""`sbirctl datasets`: which are known, which are prepared, whether one is whole, what is in it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing, Made, Table, listing, made, made_all
from sbirctl.cli.evaluate import DefinitionOption, MetricOption

panel = "What there is"
app = typer.Typer(help="List the data sets, read a prepared one back, or look at it.")


@app.callback(invoke_without_command=True)
def list_(context: typer.Context) -> Listing | None:
    """List the data sets: known, prepared, where, how big."""
    if context.invoked_subcommand is not None:
        return None
    from sbirctl.core.files import display_path, human_bytes
    from sbirctl.pipeline.datasets import list_datasets

    return listing(
        [asdict(one) for one in list_datasets()],
        {
            **{key: key for key in ("name", "state", "photos", "sketches", "classes")},
            "px": "size",
            "disk": lambda row: None if row["bytes"] is None else human_bytes(row["bytes"]),
            "folder": lambda row: row["folder"] and display_path(row["folder"]),
            "title": "title",
        },
        least=("folder", "title", "px", "disk", "classes"),
    )


@app.command("rm")
def remove(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Data sets.", autocompletion=_names.prepared),
    ],
) -> Made:
    """Remove prepared data sets; prints their folders. What they were made from stays."""
    from sbirctl.pipeline.datasets import remove_datasets

    return made_all(remove_datasets(names))


@app.command()
def verify(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name of a prepared data set.", autocompletion=_names.prepared
        ),
    ],
) -> Made:
    """Read a prepared data set back and check every digest and count; prints its path."""
    from sbirctl.pipeline.datasets import verify_dataset

    report = _console.reporter()
    store = verify_dataset(name, report=report)
    report.note(f"{store.name} is whole: store {store.digest[:12]}.")
    return made(store.folder, name=store.name, digest=store.digest)


@app.command()
def table() -> Listing:
    """Dr. CLIP's Table 1 from what is prepared here, beside the published numbers."""
    from sbirctl.pipeline.datasets_table import ITEMS, drclip_table

    rows = drclip_table()
    header = ["task", "data"]
    for item in ITEMS:
        header += [item, "published"]
    cells = [
        (
            row.task,
            row.title,
            *(n for pair in zip(row.prepared, row.published, strict=True) for n in pair),
            row.note,
        )
        for row in rows
    ]
    return Listing({"rows": [asdict(row) for row in rows]}, (Table([*header, "note"], cells),))


@app.command()
def sheet(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name of a prepared data set.", autocompletion=_names.prepared
        ),
    ],
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
) -> Made:
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
    return made(path)


@app.command()
def export(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name of a prepared data set.", autocompletion=_names.prepared
        ),
    ],
    task: Annotated[
        str,
        typer.Option(
            "--task",
            help="Whose test side to export; `sbirctl tasks` lists them.",
            autocompletion=_names.tasks,
        ),
    ] = "cg",
    target: _console.TargetOption = "",
    split: _console.SplitOption = "",
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change an option of the task (`sbirctl tasks TASK`); may be repeated.",
            autocompletion=_names.task_options,
        ),
    ] = None,
    metric: MetricOption = None,
    definition: DefinitionOption = "standard",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder to make. [default: in the data set's folder]",
            show_default=False,
        ),
    ] = None,
) -> Made:
    """Write the test side as a task of the package mteb, images beside it; prints the folder.

    The first metric is the task's main score; each is added to MTEB's own.
    """
    from sbirctl.pipeline.datasets_export import export_task
    from sbirctl.training.inputs import Inputs

    folder = export_task(
        Inputs(name, target, task, split),
        output.expanduser() if output else None,
        assignments=assignments or [],
        metrics=metric or [],
        definition=definition,
        report=_console.reporter(),
    )
    return made(folder, task=folder / "task.py")
