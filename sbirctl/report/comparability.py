"""Whether two figures measure the same thing, and if not, why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sbirctl.core.errors import SbirctlError
from sbirctl.report.published import Figure
from sbirctl.report.sizes import published_sizes
from sbirctl.report.subject import Subject
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.definitions import get as get_definition
from sbirctl.retrieval.metrics import Metric, parse
from sbirctl.splits.resolve import find

_EVERY = ("average", "no_relevant", "no_hits", "ties", "similarity", "nonpositive", "gallery")
_OWN = {"map": ("interpolation",), "prec": ("precision",), "recall": ()}


class Pair(NamedTuple):
    """A published figure and what stands beside it."""

    figure: Figure
    subject: Subject


def obstacles(
    figure: Figure, subject: Subject, definition: Definition | None = None
) -> tuple[str, ...]:
    """Why a figure and a measurement differ in more than the model; empty where they do not.

    Args:
        figure: of a card, for the subject's data set.
        subject: what was measured.
        definition: under which the measurement is; None for the figure's own.
    """
    pair = Pair(figure, subject)
    reasons = [check(pair) for check in _CHECKS]
    reasons.append(_definition(figure, definition))
    return tuple(reason for reason in reasons if reason)


def nearest_figure(figures: Sequence[Figure], subject: Subject) -> Figure | None:
    """The figure that comes nearest to the measurement: same task before same split, and so on.

    Among equals the first, which stands in the paper's main table.
    """
    if not figures:
        return None
    return min(figures, key=lambda figure: distance(figure, subject))


def distance(figure: Figure, subject: Subject) -> tuple[bool, ...]:
    """Which checks a figure fails, the gravest first; tuples compare as distances."""
    pair = Pair(figure, subject)
    return tuple(bool(check(pair)) for check in _CHECKS)


def differing_parts(metric: Metric, a: Definition, b: Definition) -> tuple[str, ...]:
    """Parts of two definitions that differ and that the metric depends on."""
    if metric.kind == "acc":
        parts: tuple[str, ...] = ("similarity", "gallery")
    else:
        # A metric of another package may depend on any part.
        own = _OWN.get(metric.kind, ("denominator", "shape", "precision"))
        parts = (*own, *_EVERY)
        if metric.kind == "map" and metric.k is not None:
            parts = ("denominator", *parts)
    return tuple(part for part in parts if getattr(a, part) != getattr(b, part))


def _task(pair: Pair) -> str:
    if pair.figure.table.task == pair.subject.task:
        return ""
    return f"another task: {pair.figure.table.task}, here {pair.subject.task or 'not recorded'}"


def _trained_on(pair: Pair) -> str:
    if pair.figure.column.trained_on == pair.subject.trained_on:
        return ""
    published = pair.figure.column.trained_on or pair.figure.column.dataset
    return f"trained on {published}, here on {pair.subject.trained_on or pair.subject.dataset}"


def _protocol(pair: Pair) -> str:
    ours = pair.subject.provenance.protocol
    if not pair.figure.table.protocol or pair.figure.table.protocol == ours:
        return ""
    return f"another protocol: {pair.figure.table.protocol}, here {ours or 'not recorded'}"


def _split(pair: Pair) -> str:
    named = pair.figure.column.split
    if "/" not in named:
        return _worded_split(named, pair.subject)
    if pair.subject.split in (named, _base(named)):
        return ""
    return f"another split: {named}, here {pair.subject.split or 'not recorded'}"


def _worded_split(words: str, subject: Subject) -> str:
    """A split the paper describes without a list of classes."""
    if subject.task == "sbir":
        same = not subject.split and subject.provenance.published_queries
        return "" if same else f"another split: {words}"
    if subject.provenance.published_queries:
        return ""
    return f"another split: {words}, here {subject.provenance.query_rule or 'not recorded'}"


def _unpublished(pair: Pair) -> str:
    if pair.figure.column.split_status != "unpublished":
        return ""
    return "the paper's list of classes is not published"


def _rule(pair: Pair) -> str:
    return f"in the paper {pair.figure.column.rule}" if pair.figure.column.rule else ""


def _sizes(pair: Pair) -> str:
    queries, galleries = published_sizes(pair.subject)
    same = pair.subject.queries == queries or not queries
    if same and (pair.subject.photos in galleries or not galleries):
        return ""
    photos = f" and {' or '.join(f'{n:,}' for n in galleries)} photos" if galleries else ""
    return (
        f"other counts: {queries:,} queries{photos} in published work, "
        f"here {pair.subject.queries:,} and {pair.subject.photos:,}"
    )


def _classes(pair: Pair) -> str:
    stated = pair.figure.column.classes
    if not stated or stated == pair.subject.classes:
        return ""
    return f"{stated} test classes, here {pair.subject.classes}"


def _dim(pair: Pair) -> str:
    dim = pair.figure.keys.get("dim", pair.subject.dim)
    return "" if dim == pair.subject.dim else f"{dim} dimensions, here {pair.subject.dim}"


def _side(pair: Pair) -> str:
    side = pair.subject.side
    return "" if side == "test" else f"measured on the side {side}, not test"


def _origin(pair: Pair) -> str:
    if pair.figure.keys["origin"] != "quoted":
        return ""
    return "quoted from another paper, whose definition is not known"


_CHECKS: tuple[Callable[[Pair], str], ...] = (
    _task,
    _trained_on,
    _protocol,
    _split,
    _unpublished,
    _dim,
    _rule,
    _sizes,
    _classes,
    _side,
    _origin,
)


def _definition(figure: Figure, ours: Definition | None) -> str:
    if ours is None:
        return ""
    theirs = get_definition(figure.table.definition)
    parts = differing_parts(parse(figure.metric), theirs, ours)

    def shown(one: Definition) -> str:
        return f"{one.name} ({', '.join(f'{part}={getattr(one, part)}' for part in parts)})"

    return f"another definition: {shown(theirs)}, here {shown(ours)}" if parts else ""


def _base(name: str) -> str:
    """The split that a list of joining seen classes belongs to; "" for other lists."""
    try:
        return find("", name).header.get("of", "")
    except SbirctlError:
        return ""
