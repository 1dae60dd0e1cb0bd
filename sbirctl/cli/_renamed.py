"""Options that had another name in an earlier version: scripts that have it go on working."""

from __future__ import annotations

from typing import Any

from sbirctl.cli import _console

# What the value means has not changed.
_NOW = {
    "": {"--debug": "--verbose"},
    "compare": {"--set": "--part"},
    "correlation": {"--pairs": "--confused"},
    "demo": {"--per-class": "--each"},
    "evaluate": {"--set": "--part"},
    "index": {"--name": "--gallery"},
    "search": {"--clean": "--photographed"},
    "sheet": {"--store": "--dataset"},
    "tsne": {"--per-class": "--each"},
}


def accept_earlier_names(program: Any) -> None:
    """Let each command of the program take its options' earlier names, which no help shows."""
    for name, names in _NOW.items():
        command = program.commands.get(name) if name else program
        if command is not None:  # not built, where only one command is needed
            command.parse_args = _Renaming(command.parse_args, names)


class _Renaming:
    """Parses as before, after earlier names were replaced."""

    def __init__(self, parse_args: Any, names: dict[str, str]) -> None:
        self._parse_args = parse_args
        self._names = names

    def __call__(self, context: Any, args: list[str]) -> Any:
        end = args.index("--") if "--" in args else len(args)
        if not context.resilient_parsing:  # completing a half-typed line
            args = [*map(self._renamed, args[:end]), *args[end:]]
        return self._parse_args(context, args)

    def _renamed(self, word: str) -> str:
        name, equals, value = word.partition("=")
        if name not in self._names:
            return word
        _console.reporter().warn(f"{name} is called {self._names[name]} now.")
        return self._names[name] + equals + value
