"""`sbirctl env`: what this installation is, for bug reports and for the paper's appendix."""

from __future__ import annotations

from sbirctl.cli import _console

panel = "What there is"


def command(json: _console.JsonOption = False) -> None:
    """Show versions, devices, threads and the home folder."""
    from sbirctl.pipeline.env import describe

    facts = describe()
    if json:
        _console.print_json(facts)
    else:
        _console.print_table(("what", "value"), list(facts.items()))
