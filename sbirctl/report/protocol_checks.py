"""What may differ between a published protocol and a measurement's, one check a function.

Each check gives its reasons in words, none where nothing differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sbirctl.core.config import resolve, to_dict
from sbirctl.models import Column
from sbirctl.report.subject import Subject
from sbirctl.report.training_checks import value_of
from sbirctl.splits.resolve import published
from sbirctl.splits.spellings import key
from sbirctl.tasks import TASKS

Reasons = Sequence[str]
_RESOLVED = ("gallery", "scope")  # "auto" among their choices: what it came to is recorded
_APART = (*_RESOLVED, "leaks", "source_split")  # the last two have checks of their own


class Protocols(NamedTuple):
    """A published column with its task, and what was measured."""

    column: Column
    task: str
    subject: Subject


def task(pair: Protocols) -> Reasons:
    """Another task."""
    if pair.task == pair.subject.task:
        return ()
    return (f"another task: {pair.task}, here {pair.subject.task or 'not recorded'}",)


def trained_on(pair: Protocols) -> Reasons:
    """Trained on another data set."""
    if pair.column.trained_on == pair.subject.trained_on:
        return ()
    theirs = pair.column.trained_on or pair.column.dataset
    return (f"trained on {theirs}, here on {pair.subject.trained_on or pair.subject.dataset}",)


def class_list(pair: Protocols) -> Reasons:
    """Other test classes, by the list's name and by the classes themselves."""
    if not pair.column.split:
        return ()
    if "/" not in pair.column.split:
        return _worded(pair.column.split, pair.subject)
    if pair.subject.split != pair.column.split:
        named = pair.subject.split or "not recorded"
        return (f"other class list: {pair.column.split}, here {named}",)
    known = pair.subject.provenance
    lists = {one.name: one.unseen for one in published(pair.column.dataset)}
    if known.unseen is None or pair.column.split not in lists:
        return ()
    ours = {key(name) for name in (*known.unseen, *(known.untested or ()))}
    theirs = {key(name) for name in lists[pair.column.split]}
    if ours == theirs:
        return ()
    more, less = len(ours - theirs), len(theirs - ours)
    return (f"other class list: not {pair.column.split}, {more} classes more and {less} less",)


def options(pair: Protocols) -> Reasons:
    """Other options of the task."""
    given = pair.subject.provenance.options
    if pair.subject.task != pair.task or pair.task not in TASKS:
        return ()
    if given is None:
        return ("the task's options are not recorded",)
    schema = TASKS.get(pair.task).Options
    usual, theirs = to_dict(schema()), to_dict(resolve(schema, pair.column.options))
    differing = [
        f"{name}={value_of(given.get(name, usual[name]))} against {value_of(value)}"
        for name, value in theirs.items()
        if name not in _APART and given.get(name, usual[name]) != value
    ]
    if given.get("source_split"):
        differing.append(f"source_split={given['source_split']} against the protocol's")
    return (f"other options: {', '.join(differing)}",) if differing else ()


def gallery(pair: Protocols) -> Reasons:
    """Another convention of the gallery, or another scope of the ranking."""
    known = {"gallery": pair.subject.provenance.gallery, "scope": pair.subject.provenance.scope}
    return tuple(
        f"other {name}: {known[name] or 'not recorded'} against {pair.column.options[name]}"
        for name in _RESOLVED
        if name in pair.column.options and known[name] != pair.column.options[name]
    )


def counts(pair: Protocols) -> Reasons:
    """Other numbers of test classes, queries or photos."""
    ours, theirs = pair.subject, pair.column
    stated = (
        ("test classes", ours.classes, (theirs.classes,)),
        ("queries", ours.queries, (theirs.queries,)),
        ("photos", ours.photos, theirs.photos),
    )
    differing = [
        f"{own:,} {what} against {' or '.join(f'{n:,}' for n in printed)}"
        for what, own, printed in stated
        if any(printed) and own not in printed
    ]
    return (f"other counts: {', '.join(differing)}",) if differing else ()


def side(pair: Protocols) -> Reasons:
    """Not the test side."""
    if pair.subject.side == "test":
        return ()
    return (f"measured on the side {pair.subject.side}, not test",)


def undetermined(pair: Protocols) -> Reasons:
    """A protocol that the paper does not determine."""
    return (pair.column.undetermined,) if pair.column.undetermined else ()


PROTOCOL_CHECKS: tuple[Callable[[Protocols], Reasons], ...] = (
    task,
    trained_on,
    class_list,
    options,
    gallery,
    counts,
    side,
    undetermined,
)


def _worded(words: str, subject: Subject) -> Reasons:
    """A test side that the paper describes without a list of classes."""
    same = subject.provenance.published_queries and not (subject.task == "sbir" and subject.split)
    if same:
        return ()
    rule = subject.split or subject.provenance.query_rule or "not recorded"
    return (f"other test side: {words}, here {rule}",)
