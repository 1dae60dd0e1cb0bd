"""`sbirctl env`: what this installation is, for bug reports and for the paper's appendix."""

from __future__ import annotations

from typing import Annotated

import typer

from sbirctl.cli._output import Listing, Table

panel = "What there is"


def command(
    devices: Annotated[
        bool,
        typer.Option("--devices", help="Also ask PyTorch for its devices and threads: seconds."),
    ] = False,
) -> Listing:
    """Show versions, processors and the home folder."""
    from sbirctl.pipeline.env import describe

    facts = describe(devices)
    return Listing(facts, (Table(("what", "value"), list(facts.items())),))
