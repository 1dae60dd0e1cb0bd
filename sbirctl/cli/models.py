"""`sbirctl models`: what there is to train and to embed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing, Table, Text, listing

panel = "What there is"

app = typer.Typer(help="List the models, or show one with its settings.")


@app.callback(invoke_without_command=True)
def list_all(context: typer.Context) -> Listing | None:
    """List the models, or show one with its settings."""
    if context.invoked_subcommand is not None:
        return None
    from sbirctl.pipeline.models import rows

    header = ("name", "parameters", "dim", "input", "paper", "trust", "summary")
    least = ("summary", "dim", "input", "paper")
    return listing(rows(_console.reporter()), header, least=least)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a model.", autocompletion=_names.models)
    ],
    form: Annotated[
        Literal["table", "md"],
        typer.Option("--format", help="Print a table, or Markdown as docs/ has it."),
    ] = "table",
) -> Listing | Text:
    """Print a model's card, its settings with their defaults, and its presets."""
    from sbirctl.pipeline.models import markdown as page
    from sbirctl.pipeline.models import show as describe

    found = describe(name)
    if form == "md":
        return Text(found, page(name))
    parts = [{"part": k, "parameters": v} for k, v in found["parameters_by_part"].items()]
    deviations = [{"deviation from the paper": text} for text in found["deviations"]]
    presets = [
        {"preset": preset, "sets": " ".join(f"{k}={v}" for k, v in values.items())}
        for preset, values in found["presets"].items()
    ]
    tables = [
        Table(("what", "value"), list(_facts(found).items())),
        *_section("weights", found["weights"], ("name", "source", "licence")),
        *_section("parameters (of one training class)", parts, ("part", "parameters")),
        *_section("", deviations, ("deviation from the paper",)),
        *(_published(table) for table in found["tables"]),
        *_section("settings", found["settings"], ("key", "default", "help")),
        *_section("presets", presets, ("preset", "sets")),
    ]
    return Listing(found, tables)


def _facts(found: Mapping[str, Any]) -> dict[str, object]:
    from sbirctl.pipeline.models import trust_facts

    paper = found["paper"]
    return {
        "name": found["name"],
        "summary": found["summary"],
        "paper": f"{paper['title']} ({paper['venue']} {paper['year']})",
        "authors": paper["authors"],
        "url": paper["url"],
        **trust_facts(found["trust"]),
        "input": found["input"],
        "preprocessing": found["preprocessing"],
        **({"architecture": found["architecture"]} if found["architecture"] else {}),
        "embedding": found["dim"],
        "parameters": found["parameters"],
        "trained": "yes" if found["trainable"] else "no, embeds as it comes",
    }


def _section(title: str, rows: list[dict[str, Any]], header: tuple[str, ...]) -> list[Table]:
    """A table of its own, none where it has no rows."""
    cells = [[row[key] for key in header] for row in rows]
    return [Table(header, cells, title, before="\n")] if rows else []


def _published(table: Mapping[str, Any]) -> Table:
    about = f"\n{table['title']} — {table['source']}"
    about += f"\ntask {table['task']}; definition {table['definition'] or 'not stated'}"
    return Table(table["header"], table["rows"], before=about, after=table["note"])
