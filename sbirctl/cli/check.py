"""`sbirctl check`: whether a model, data set, metric, … keeps to its contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Columns, Listing, listing
from sbirctl.core.errors import SbirctlError

panel = "What there is"


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE",
            autocompletion=_names.checked,
            help="A model, data set, metric, definition, engine (also engine:kind) or loss by its "
            "name, or a plug-in file: all it brings.",
            show_default=False,
        ),
    ],
    from_: Annotated[
        list[Path] | None,
        typer.Option(
            "--from", metavar="PATH", help="For a data set: what to read; may be repeated."
        ),
    ] = None,
    photos: Annotated[
        Path | None, typer.Option("--photos", metavar="PATH", help="For the data set folder.")
    ] = None,
    sketches: Annotated[
        Path | None, typer.Option("--sketches", metavar="PATH", help="For the data set folder.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="For a model: a setting; may be repeated.",
            autocompletion=_names.settings,
        ),
    ] = None,
) -> Listing:
    """Check that something keeps to its contract, as this project's own tests do.

    The exit status is 1 where a check finds a problem.
    """
    from sbirctl.pipeline.check import check

    sides = {"photos": photos, "sketches": sketches}
    inputs = {"from": from_ or [], **{role: [path] for role, path in sides.items() if path}}
    found = check(what, inputs=inputs, assignments=assignments or [], report=_console.reporter())
    rows = [
        {"kind": one.kind, "name": one.name, **vars(outcome)}
        for one in found
        for outcome in one.outcomes
    ]
    problems = sum(bool(row["problem"]) for row in rows)
    failure = SbirctlError(f"{problems} of {len(rows)} checks found a problem.")
    columns: Columns = {
        "of": lambda row: f"{row['kind']} {row['name']}",
        "result": _shown,
        "contract": "what",
        "why": lambda row: row["problem"] or row["skipped"],
    }
    return replace(listing(rows, columns), failure=failure if problems else None)


def _shown(row: Mapping[str, str]) -> str:
    return "problem" if row["problem"] else "skipped" if row["skipped"] else "ok"
