"""`sbirctl explain`: what a printed figure is."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli import _names
from sbirctl.cli._output import Listing, Text, listing

panel = "What there is"


def command(
    figure: Annotated[
        str,
        typer.Argument(
            metavar="[FIGURE]",
            help="As a command prints it: map@200, chance, p, margin, …",
            autocompletion=_names.figures,
        ),
    ] = "",
) -> Listing | Text:
    """Say what a figure is: formula, sides, chance, and what it can be compared with."""
    from dataclasses import asdict

    from sbirctl.pipeline.explain import explain, explanations

    if not figure:
        return listing([asdict(one) for one in explanations()], {"figure": "name", "what": "what"})
    found = explain(figure)
    return Text(asdict(found), found.paragraph)
