"""Errors a person can act on: what happened with which value, and what to type next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class SbirctlError(Exception):
    """A failure the person at the terminal can do something about.

    Args:
        message: what happened, with the value it happened with (one line).
        hint: what to do or type next (one line); empty when there is nothing to add.

    Attributes:
        said: another process of the same run says it.
    """

    exit_code = 1
    said = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)  # shown by a traceback, in a notebook for example


class UsageError(SbirctlError):
    """The command was typed wrongly: an unknown name, key or value. Exit code 2."""

    exit_code = 2


class MissingError(SbirctlError):
    """Data or weights are not there. Exit code 3."""

    exit_code = 3


class MismatchError(SbirctlError):
    """Inputs that do not belong together, a leaking split among them. Exit code 4."""

    exit_code = 4


class CorruptError(SbirctlError):
    """A file is damaged or has the wrong checksum. Exit code 5."""

    exit_code = 5


def interruption(error: BaseException) -> KeyboardInterrupt | None:
    """The interruption that an error is, or that a library made another error of; None where there
    was none.

    torch and HDF5 finish their files when an interruption passes through them, and what goes wrong
    then takes its place. An error that says itself what to do is left as it is.
    """
    one: BaseException | None = error
    while one is not None and not isinstance(one, SbirctlError):
        if isinstance(one, KeyboardInterrupt):
            return one
        one = one.__context__
    return None


def few(names: Sequence[str], most: int) -> str:
    """The first names of a list, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known name, or with all of them when none is near."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {close[0]!r}?"
    letters = _letters(name)
    if len(letters) > 2 and (inside := [one for one in known if letters in _letters(one)]):
        return f"Did you mean {few([repr(one) for one in inside], 3)}?"
    if not known:
        return "There is none to choose from."
    shown = ", ".join(known[:20])
    return f"Known: {shown}{', …' if len(known) > 20 else ''}."
