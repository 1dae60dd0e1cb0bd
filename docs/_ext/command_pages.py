"""Fills reference/commands.md: every command and option, as the program itself knows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sbirctl.cli import _app

PAGE, PLACE = "reference/commands", "<!-- commands -->"


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True}


def fill(_app: Any, page: str, source: list[str]) -> None:
    """Put the commands where the page says; `source` holds its text and is changed in place."""
    if page == PAGE:
        source[0] = source[0].replace(PLACE, markdown())


def markdown() -> str:
    """A section a command, with its arguments and options as a table."""
    return "\n\n".join(_section(words, command) for words, command in commands())


def commands() -> Iterator[tuple[str, Any]]:
    """(words, click command) of every command that does something, groups with theirs."""
    yield from _below("sbirctl", _app.build())


def _below(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield words, command
    for name, sub in getattr(command, "commands", {}).items():
        if not sub.hidden:
            yield from _below(f"{words} {name}", sub)


def _section(words: str, command: Any) -> str:
    context = command.make_context(words, [], resilient_parsing=True)
    found = [one.get_help_record(context) for one in command.params]
    rows = [f"| `{_cell(record[0])}` | {_cell(record[1])} |" for record in found if record]
    parts = [f"## {words}", " ".join((command.help or "").replace("\f", "").split(" "))]
    if rows:
        parts.append("\n".join(["| argument or option | meaning |", "|---|---|", *rows]))
    return "\n\n".join(part.strip() for part in parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
