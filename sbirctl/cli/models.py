"""`sbirctl models`: what there is to train and to embed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sbirctl.cli import _console

panel = "What there is"

app = typer.Typer(help="List the models, or show one with its settings.")


def _complete(incomplete: str) -> list[str]:
    from sbirctl.models import MODELS

    return [name for name in MODELS.names() if name.startswith(incomplete)]


@app.callback(invoke_without_command=True)
def list_all(context: typer.Context, json: _console.JsonOption = False) -> None:
    """List the models, or show one with its settings."""
    if context.invoked_subcommand is not None:
        return
    from sbirctl.pipeline.models import rows

    found = rows(_console.reporter())
    if json:
        _console.print_json(found)
        return
    header = ("name", "parameters", "dim", "input", "paper", "summary")
    body = [[row[key] for key in header] for row in found]
    _console.print_table(header, body, least=("summary", "dim", "input", "paper"))


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a model.", autocompletion=_complete)
    ],
    json: _console.JsonOption = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the model's page as Markdown.")
    ] = False,
) -> None:
    """Print a model's card, its settings with their defaults, and its presets."""
    from sbirctl.pipeline.models import markdown as page
    from sbirctl.pipeline.models import show as describe

    if markdown:
        print(page(name), end="")
        return
    found = describe(name)
    if json:
        _console.print_json(found)
        return
    paper = found["paper"]
    facts = {
        "name": found["name"],
        "summary": found["summary"],
        "paper": f"{paper['title']} ({paper['venue']} {paper['year']})",
        "authors": paper["authors"],
        "url": paper["url"],
        "input": found["input"],
        "preprocessing": found["preprocessing"],
        **({"architecture": found["architecture"]} if found["architecture"] else {}),
        "embedding": found["dim"],
        "parameters": found["parameters"],
        "trained": "yes" if found["trainable"] else "no, embeds as it comes",
    }
    _console.print_table(("what", "value"), list(facts.items()))
    _section("weights", found["weights"], ("name", "source", "licence"))
    parts = [{"part": k, "parameters": v} for k, v in found["parameters_by_part"].items()]
    _section("parameters (of one training class)", parts, ("part", "parameters"))
    deviations = [{"deviation from the paper": text} for text in found["deviations"]]
    _section("", deviations, ("deviation from the paper",))
    for table in found["tables"]:
        _table(table)
    _section("settings", found["settings"], ("key", "default", "help"))
    presets = [
        {"preset": preset, "sets": " ".join(f"{k}={v}" for k, v in values.items())}
        for preset, values in found["presets"].items()
    ]
    _section("presets", presets, ("preset", "sets"))


def _section(title: str, rows: list[dict[str, Any]], header: tuple[str, ...]) -> None:
    if rows:
        print()
        _console.print_table(header, [[row[key] for key in header] for row in rows], title=title)


def _table(table: Mapping[str, Any]) -> None:
    print(f"\n{table['title']} — {table['source']}")
    print(f"task {table['task']}; definition {table['definition']}")
    _console.print_table(table["header"], table["rows"])
    if table["note"]:
        print(table["note"])
