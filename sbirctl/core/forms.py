"""Whether plain values, as JSON has them, have the form their reader relies on.

Records may come from elsewhere, or be damaged. What is checked here once is believed afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbirctl.core.errors import CorruptError, MismatchError
from sbirctl.core.files import display_path

NATURAL = range(2**53)  # what every reader of JSON takes for the same whole number
_NAMES = {str: "text", int: "a whole number", dict: "an object"}


@dataclass(frozen=True)
class Each:
    """An object with any keys, whose values have one form."""

    form: object


@dataclass(frozen=True)
class Maybe:
    """A value of a form, null, or a key that is not there."""

    form: object


def check_form(value: object, form: object, path: Path, hint: str = "") -> None:
    """Refuse what has not a form.

    Args:
        value: plain values.
        form: a type (`float` is a finite number, a whole one too), a `range` of whole numbers, an
            object of forms by key (more keys may be there), `[form]` for a list, `Each` or `Maybe`.
        path: of the file it was read from.
        hint: what to do.

    Raises:
        CorruptError: it has not; its message names the first place.
    """
    problem = _problem(value, form, "")
    if problem:
        raise CorruptError(f"{display_path(path)} is damaged: {problem}.", hint)


def refuse_other_case(found: Collection[str], known: Collection[str], path: Path) -> None:
    """Raise MismatchError where a file's name for a thing is a known one but for its capitals."""
    missing = {key.casefold(): key for key in known if key not in found}
    for name in found:
        if name not in known and (key := missing.get(name.casefold())):
            raise MismatchError(
                f"{display_path(path)} has {display_path(name)!r}, which is read as {key!r} only.",
                f"Write it again as {key!r}.",
            )


def _problem(value: object, form: Any, where: str) -> str:
    if isinstance(form, Maybe):
        return "" if value is None else _problem(value, form.form, where)
    if isinstance(form, Each):
        form = dict.fromkeys(value, form.form) if isinstance(value, Mapping) else {}
        return _of_object(value, form, where)
    if isinstance(form, dict):
        return _of_object(value, form, where)
    if isinstance(form, list):
        if not isinstance(value, list):
            return f"{where or 'it'} is no list"
        found = (_problem(one, form[0], f"{where}[{i}]") for i, one in enumerate(value))
        return next(filter(None, found), "")
    if isinstance(form, range):
        right = type(value) is int and value in form
        return "" if right else f"{where or 'it'} is no number it can be"
    if form is float:
        right = type(value) is float and math.isfinite(value)
        right = right or (type(value) is int and abs(value) in NATURAL)
        return "" if right else f"{where or 'it'} is not a finite number"
    if type(value) is form:
        return ""
    return f"{where or 'it'} is not {_NAMES.get(form, form)}"


def _of_object(value: object, form: Mapping[str, object], where: str) -> str:
    if not isinstance(value, Mapping):
        return f"{where or 'it'} is no object"
    for key, inner in form.items():
        place = f"{where}.{key}" if where else str(key)
        if key not in value and not isinstance(inner, Maybe):
            return f"{place} is missing"
        if problem := _problem(value.get(key), inner, place):
            return problem
    return ""
