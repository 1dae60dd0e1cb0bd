"""Class names compared across data sets and folders: `hot-air_balloon` is `hot air balloon`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from sbirctl.core.errors import MismatchError, nearest
from sbirctl.core.text import composed
from sbirctl.splits.lists import read_table


def key(name: str) -> str:
    """The concept a class name stands for: equal keys, one concept.

    Case, blanks and punctuation do not matter; `splits/spellings.tsv` knows the rest
    ("bear (animal)" is bear, TU-Berlin's photo folder "griaffe" is giraffe). Names the table does
    not know stand for themselves.
    """
    name = composed(name)
    bare = _bare(name)
    return _keys().get(bare, bare) or name


def canonical(name: str, dataset: str) -> str:
    """A class name as the data set's sketch folders spell it; unknown names stay as they are."""
    return _canonical(dataset).get(key(name), composed(name))


def match(names: Iterable[str], classes: Iterable[str], what: str) -> tuple[str, ...]:
    """The names as `classes` spells them, in the order given.

    Args:
        names: class names of a list.
        classes: class names of a data set.
        what: the list's name, for messages.

    Raises:
        MismatchError: a name is none of the classes (the nearest one is named), stands for several
            of them, or comes twice.
    """
    known = list(classes)
    exact = {composed(name): name for name in known}
    by_key: dict[str, list[str]] = {}
    for name in known:
        by_key.setdefault(key(name), []).append(name)
    found: dict[str, str] = {}
    for name in names:
        same = exact.get(composed(name))
        options = by_key.get(key(name), []) if same is None else [same]
        if not options:
            raise MismatchError(
                f"{what}: {name!r} is none of the {len(known)} classes.", nearest(name, known)
            )
        if len(options) > 1:
            raise MismatchError(
                f"{what}: {name!r} may be any of {', '.join(map(repr, options))}.",
                "Spell it exactly as the class is spelled.",
            )
        if options[0] in found:
            raise MismatchError(
                f"{what}: {name!r} and {found[options[0]]!r} are one class.", "Name it once."
            )
        found[options[0]] = name
    return tuple(found)


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


@cache
def _keys() -> dict[str, str]:
    """{spelling without case and punctuation: key}."""
    result: dict[str, str] = {}
    for row in read_table("spellings.tsv"):
        for spelling in filter(None, row.values()):
            result[_bare(spelling)] = row["key"]
    return result


@cache
def _canonical(dataset: str) -> dict[str, str]:
    """{key: spelling in the data set's sketch folders}."""
    rows = read_table("spellings.tsv")
    if not rows or dataset in ("", "key") or dataset not in rows[0]:
        return {}
    return {row["key"]: row[dataset] for row in rows if row[dataset]}
