"""`sbirctl env`: what this installation is, for bug reports and for the paper's appendix."""

from __future__ import annotations

from sbirctl.cli._output import Listing, Table

panel = "What there is"


def command() -> Listing:
    """Show versions, devices, threads and the home folder."""
    from sbirctl.pipeline.env import describe

    facts = describe()
    return Listing(facts, (Table(("what", "value"), list(facts.items())),))
