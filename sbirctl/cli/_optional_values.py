"""Options whose value may be left out: the metavar says so, as in `--ci [auto|class|query]`."""

from __future__ import annotations

from typing import Any

from sbirctl.cli._once import all_commands


def allow_missing_values(command: Any) -> None:
    """Let such an option stand alone, for the command and all below it; the first choice is meant.

    A word behind the option that is one of its choices, or its plural, is its value.
    """
    for one in all_commands(command):
        choices = {
            name: option.metavar.strip("[]").split("|")
            for option in one.params
            if (option.metavar or "").startswith("[") and not getattr(option, "multiple", False)
            for name in option.opts
            if name.startswith("-")
        }
        if choices:
            one.parse_args = _Filling(one.parse_args, choices)


class _Filling:
    """Parses as before, after the missing values were filled in."""

    def __init__(self, parse_args: Any, choices: dict[str, list[str]]) -> None:
        self._parse_args = parse_args
        self._choices = choices

    def __call__(self, context: Any, args: list[str]) -> Any:
        return self._parse_args(context, self._filled(args))

    def _filled(self, args: list[str]) -> list[str]:
        filled: list[str] = []
        for i, word in enumerate(args):
            if word == "--":
                return filled + args[i:]
            filled.append(word)
            if word in self._choices:
                following = args[i + 1] if i + 1 < len(args) else ""
                if not any(_names(following, choice) for choice in self._choices[word]):
                    filled.append(self._choices[word][0])
        return filled


def _names(word: str, choice: str) -> bool:
    return word in (choice, f"{choice}es", f"{choice[:-1]}ies")
