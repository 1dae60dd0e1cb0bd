"""`sbirctl splits`: the class lists, as data one can read and check."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing, Text, listing

panel = "What there is"

app = typer.Typer(help="List, print and check the splits into seen and unseen classes.")

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A split (sketchy/imagenet21) or a list file.",
        autocompletion=_names.split_lists,
    ),
]


@app.callback(invoke_without_command=True)
def list_all(
    context: typer.Context,
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            help="List only the splits of this data set.",
            autocompletion=_names.datasets,
        ),
    ] = "",
) -> Listing | None:
    """List, print and check the splits into seen and unseen classes."""
    if context.invoked_subcommand is not None:
        return None
    from sbirctl.pipeline.splits import rows

    columns = {key: key for key in ("name", "kind", "unseen", "seen")}
    return listing(
        rows(dataset),
        {**columns, "source": lambda row: row["source"] or row["status"]},
        least=("source", "kind"),
    )


@app.command()
def show(
    name: NameArgument,
    header: Annotated[
        bool, typer.Option("--header", help="Also print the header of the list: where it is from.")
    ] = False,
    seen: Annotated[bool, typer.Option("--seen", help="Print the seen classes instead.")] = False,
) -> Text:
    """Print the unseen classes, one a line."""
    from sbirctl.core.errors import MissingError
    from sbirctl.pipeline.splits import get
    from sbirctl.splits.lists import write

    split = get(name)
    names = split.seen if seen else split.unseen
    if seen and not names:
        raise MissingError(f"The classes of {split.dataset} are not known.", "Prepare it first.")
    text = write(split.header, names) if header else "".join(f"{one}\n" for one in names)
    keys = ("name", "kind", "digest", "header", "unseen", "seen")
    return Text({key: getattr(split, key) for key in keys}, text)


@app.command()
def audit(name: NameArgument) -> Listing:
    """Compare the unseen classes with ImageNet-1k's, by WordNet id where known, and by name."""
    from dataclasses import asdict

    from sbirctl.pipeline.splits import check
    from sbirctl.splits.audit import summary

    split, findings = check(name)
    _console.reporter().note(summary(split, findings))
    columns = {
        "class": "name",
        "overlap": "kind",
        "synset": "synset",
        "ImageNet-1k class": "lemma",
        "photos": "photos",
    }
    about = {"name": split.name, "digest": split.digest}
    return listing([asdict(f) for f in findings], columns, **about)
