"""Options are given once: of a repeated one all but the last value would be lost without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sbirctl.core.errors import UsageError


def all_commands(command: Any) -> Iterator[Any]:
    """A command of Typer's click, its sub-commands and theirs."""
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from all_commands(inner)


def refuse_repeated(command: Any) -> None:
    """Make a command line with a repeated option an error, for the command and all below it."""
    for one in all_commands(command):
        one.make_parser = _Checked(one.make_parser)


class _Checked:
    """Makes a command's parser as before; the parser then looks at what was given."""

    def __init__(self, make_parser: Any) -> None:
        self._make_parser = make_parser

    def __call__(self, context: Any) -> Any:
        parser = self._make_parser(context)
        parse = parser.parse_args

        def parse_args(args: list[str]) -> Any:
            values, rest, order = parse(args=args)
            if not context.resilient_parsing:  # completing a half-typed line
                _check(order)
            return values, rest, order

        parser.parse_args = parse_args
        return parser


def _check(given: list[Any]) -> None:
    """Look for a second value; a flag that is said twice says the same.

    Raises:
        UsageError: there is one.
    """
    for option, times in Counter(given).items():
        flag = getattr(option, "is_flag", False) and not option.secondary_opts
        if times > 1 and not (flag or option.multiple):
            name = max(option.opts, key=len)
            raise UsageError(f"{name} is given {times} times and takes one value.", "Give it once.")
