"""The table of all options in docs/cli.md: `python -m sbirctl.cli._options_table` prints it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from sbirctl.cli import _app

_WORDS = {int: "NUMBER", float: "NUMBER", Path: "FILE"}


def options_table() -> str:
    """A row an option: its names, what it takes, what it means, and which commands have it."""
    found: dict[str, list[tuple[str, Any]]] = {}
    program = _app.build()
    commands = dict(_commands(program, ""))
    for words, command in commands.items():
        for option in command.params:
            if option.param_type_name == "option":
                name = max(option.opts, key=len)
                found.setdefault(name, []).append((words, option))
    lines = ["| option | takes | meaning | in |", "|---|---|---|---|"]
    for name in sorted(found):
        places = [words for words, _ in found[name]]
        option = found[name][0][1]
        short = [other for other in option.opts if other != name] + list(option.secondary_opts)
        names = ", ".join(f"`{one}`" for one in (name, *short))
        where = "all" if len(places) == len(commands) else ", ".join(places)
        lines.append(f"| {names} | {_takes(option)} | {_meaning(found[name])} | {where} |")
    return "\n".join(lines) + "\n"


def _commands(group: Any, words: str) -> list[tuple[str, Any]]:
    found = []
    for name, command in group.commands.items():
        own = f"{words} {name}".strip()
        found.append((own, command))
        if hasattr(command, "commands"):
            found += _commands(command, own)
    return found


def _takes(option: Any) -> str:
    if option.is_flag:
        return ""
    kind = value_type(option)
    if get_origin(kind) is Literal:
        return " ".join(f"`{choice}`" for choice in get_args(kind))
    shown = f"`{_cell(option.metavar or _WORDS.get(kind, 'TEXT'))}`"
    return f"{shown}, repeated" if option.multiple else shown


def value_type(option: Any) -> Any:
    """The Python type of one value of an option."""
    kind = option.type_descriptor.annotation
    return get_args(kind)[0] if get_origin(kind) is list else kind


def _meaning(places: list[tuple[str, Any]]) -> str:
    """The help; where commands put it in other words, each with its commands."""
    texts: dict[str, list[str]] = {}
    for words, option in places:
        texts.setdefault(_cell(option.help or ""), []).append(words)
    if len(texts) == 1:
        return next(iter(texts))
    return "<br>".join(f"{', '.join(words)}: {text}" for text, words in texts.items())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


if __name__ == "__main__":
    print(options_table(), end="")
