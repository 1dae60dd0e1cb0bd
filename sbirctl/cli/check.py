"""`sbirctl check`: whether a model, data set, metric, … keeps to its contract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sbirctl.cli import _console

if TYPE_CHECKING:
    from sbirctl.checks import Outcome

panel = "What there is"


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE",
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
        typer.Option("--set", metavar="KEY=VALUE", help="For a model: a setting; may be repeated."),
    ] = None,
    json: _console.JsonOption = False,
) -> None:
    """Check that something keeps to its contract, as this project's own tests do.

    The exit status is 1 where a check finds a problem.
    """
    from sbirctl.pipeline.check import check

    sides = {"photos": photos, "sketches": sketches}
    inputs = {"from": from_ or [], **{role: [path] for role, path in sides.items() if path}}
    found = check(what, inputs=inputs, assignments=assignments or [], report=_console.reporter())
    if json:
        _console.print_json(
            [
                {"kind": one.kind, "name": one.name, "checks": [vars(o) for o in one.outcomes]}
                for one in found
            ]
        )
    else:
        rows = [
            [f"{one.kind} {one.name}", _shown(outcome), outcome.what, _why(outcome)]
            for one in found
            for outcome in one.outcomes
        ]
        _console.print_table(("of", "result", "contract", "why"), rows)
    if any(one.problems for one in found):
        raise typer.Exit(1)


def _shown(outcome: Outcome) -> str:
    return "problem" if outcome.problem else "skipped" if outcome.skipped else "ok"


def _why(outcome: Outcome) -> str:
    return outcome.problem or outcome.skipped
