"""`sbirctl models`: what there is to train and to embed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Listing, Made, Table, Text, listing, made
from sbirctl.cli.runs import LicenceOption, OnnxOption

panel = "What there is"

app = typer.Typer(help="List the models, show one, or exchange trained ones with the hub.")


@app.callback(invoke_without_command=True)
def list_all(context: typer.Context) -> Listing | None:
    """List the models, show one, or exchange trained ones with the hub."""
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
    from sbirctl.report.model_page import MARK, marked

    found = describe(name)
    if form == "md":
        return Text(found, page(name))
    parts = [{"part": k, "parameters": v} for k, v in found["parameters_by_part"].items()]
    deviations = [{"deviation from the paper": text} for text in found["deviations"]]
    presets = [{"preset": preset, "sets": sets} for preset, sets in marked(found).items()]
    about = "\n" if found["beside_the_paper"] is None else f"\n{MARK}\n"
    tables = [
        Table(("what", "value"), list(_facts(found).items())),
        *_section("weights", found["weights"], ("name", "source", "licence")),
        *_section("parameters (of one training class)", parts, ("part", "parameters")),
        *_section("", deviations, ("deviation from the paper",)),
        *(_published(table) for table in found["tables"]),
        *_settings(found["settings"]),
        *_section("presets (--set preset=NAME)", presets, ("preset", "sets"), about),
    ]
    return Listing(found, tables)


@app.command("push")
def push(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run, as every command takes it.", autocompletion=_names.runs
        ),
    ],
    repository: Annotated[
        str, typer.Argument(metavar="OWNER/NAME", help="Repository of the hub; made if need be.")
    ],
    licence: LicenceOption = "",
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help="Show it to everybody: needed for a public repository; a new one is else private.",
        ),
    ] = False,
    no_onnx: OnnxOption = False,
) -> Text:
    """Put a trained run on the Hugging Face hub; prints its address with the commit.

    Checkpoint, settings, log, figures, ONNX files and a page about them are sent, with the digest
    of each. Log in first with `hf auth login`, or set HF_TOKEN.
    """
    from sbirctl.pipeline.sharing import push as push_run

    address, package = push_run(
        run,
        repository,
        licence=licence,
        public=public,
        onnx=not no_onnx,
        report=_console.reporter(),
    )
    fields = {"address": address, "run": package.run, "files": package.to_json()["files"]}
    return Text(fields, f"{address}\n")


@app.command("pull")
def pull(
    address: Annotated[
        str,
        typer.Argument(
            metavar="hf://OWNER/NAME[@REVISION]",
            help="Address of a run: a branch, a tag or a commit; main if none is said.",
            autocompletion=_names.addresses,
        ),
    ],
) -> Made:
    """Take a run of the Hugging Face hub in, as it is there now; prints its folder.

    Digests are compared, and nothing is executed. Afterwards the address is a run for every
    command, without a network.
    """
    from sbirctl.pipeline.sharing import pull as pull_run

    folder = pull_run(address, _console.reporter())
    return made(folder, run=folder.name)


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


def _settings(settings: list[dict[str, Any]]) -> list[Table]:
    """A table a kind of settings."""
    from sbirctl.report.model_page import KINDS

    found = []
    for kind, title in KINDS.items():
        rows = [one for one in settings if one["kind"] == kind]
        found += _section(f"settings: {title}", rows, ("key", "default", "help"))
    return found


def _section(
    title: str, rows: list[dict[str, Any]], header: tuple[str, ...], before: str = "\n"
) -> list[Table]:
    """A table of its own, none where it has no rows."""
    cells = [[row[key] for key in header] for row in rows]
    return [Table(header, cells, title, before=before)] if rows else []


def _published(table: Mapping[str, Any]) -> Table:
    about = f"\n{table['title']} — {table['source']}"
    about += f"\ntask {table['task']}; definition {table['definition'] or 'not stated'}"
    return Table(table["header"], table["rows"], before=about, after=table["note"])
