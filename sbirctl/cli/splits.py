"""`sbirctl splits`: the class lists, as data one can read and check."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _console

panel = "What there is"

app = typer.Typer(help="List, print and check the splits into seen and unseen classes.")

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="A split (sketchy/imagenet21) or a list file.")
]


@app.callback(invoke_without_command=True)
def list_all(
    context: typer.Context,
    dataset: Annotated[
        str, typer.Option("--dataset", help="List only the splits of this data set.")
    ] = "",
    json: _console.JsonOption = False,
) -> None:
    """List, print and check the splits into seen and unseen classes."""
    if context.invoked_subcommand is not None:
        return
    from sbirctl.pipeline.splits import rows

    found = rows(dataset)
    if json:
        _console.print_json(found)
        return
    _console.print_table(
        ("name", "kind", "unseen", "seen", "source"),
        [(r["name"], r["kind"], r["unseen"], r["seen"], r["source"] or r["status"]) for r in found],
        least=("source", "kind"),
    )


@app.command()
def show(
    name: NameArgument,
    header: Annotated[
        bool, typer.Option("--header", help="Also print the header of the list: where it is from.")
    ] = False,
    seen: Annotated[bool, typer.Option("--seen", help="Print the seen classes instead.")] = False,
    json: _console.JsonOption = False,
) -> None:
    """Print the unseen classes, one a line."""
    from sbirctl.core.errors import MissingError
    from sbirctl.pipeline.splits import get
    from sbirctl.splits.lists import write

    split = get(name)
    names = split.seen if seen else split.unseen
    if seen and not names:
        raise MissingError(f"The classes of {split.dataset} are not known.", "Prepare it first.")
    if json:
        _console.print_json(
            {
                "name": split.name,
                "kind": split.kind,
                "digest": split.digest,
                "header": split.header,
                "unseen": split.unseen,
                "seen": split.seen,
            }
        )
    elif header:
        print(write(split.header, names), end="")
    else:
        print("\n".join(names))


@app.command()
def audit(name: NameArgument, json: _console.JsonOption = False) -> None:
    """Compare the unseen classes with ImageNet-1k's, by WordNet id where known, and by name."""
    from dataclasses import asdict

    from sbirctl.pipeline.splits import check
    from sbirctl.splits.audit import summary

    split, findings = check(name)
    if json:
        _console.print_json(
            {"name": split.name, "digest": split.digest, "overlaps": [asdict(f) for f in findings]}
        )
        return
    rows = [(f.name, f.kind, f.synset, f.lemma, f.photos) for f in findings]
    _console.print_table(("class", "overlap", "synset", "ImageNet-1k class", "photos"), rows)
    _console.reporter().note(summary(split, findings))
