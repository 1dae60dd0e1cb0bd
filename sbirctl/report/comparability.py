"""Whether two figures measure the same thing, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence

from sbirctl.core.errors import few
from sbirctl.report.protocol_checks import PROTOCOL_CHECKS, Protocols
from sbirctl.report.published import Figure
from sbirctl.report.subject import Subject
from sbirctl.report.training_checks import SHOWN, TRAINING_CHECKS, Pair, value_of
from sbirctl.retrieval.definitions import CHOICES, Definition
from sbirctl.retrieval.definitions import get as get_definition
from sbirctl.retrieval.metrics import Metric, parse

_EVERY = ("average", "no_relevant", "no_hits", "ties", "similarity", "nonpositive", "gallery")
_OWN = {"map": ("interpolation",), "prec": ("precision",), "recall": ()}


def obstacles(
    figure: Figure, subject: Subject, definition: Definition | None = None
) -> tuple[str, ...]:
    """Why a figure and a measurement differ; empty where the run is the figure's own row.

    Args:
        figure: of a card.
        subject: what was measured.
        definition: under which the measurement is; None for the figure's own.
    """
    found = [
        reason
        for check in PROTOCOL_CHECKS
        for reason in check(Protocols(figure.column, figure.table.task, subject))
    ]
    found += [reason for training in TRAINING_CHECKS for reason in training(Pair(figure, subject))]
    if figure.table.definition:  # else its columns say that it is not stated
        found += other_definition(figure.metric, figure.table.definition, definition)
    return tuple(found)


def recipe_remark(figure: Figure, subject: Subject) -> str:
    """What of the recipe differs, "" where nothing does."""
    given = subject.provenance.settings
    if given is None or subject.model != figure.card.name:
        return ""
    recipe = figure.preset.recipe
    differing = [
        f"{key}={value_of(value)} ({value_of(recipe[key])})"
        for key, value in figure.preset.other_recipe(given).items()
    ]
    return (
        f"The recipe differs (the row's in brackets): {few(differing, SHOWN)}." if differing else ""
    )


def nearest_figure(figures: Sequence[Figure], subject: Subject) -> Figure | None:
    """The figure that comes nearest to the measurement: same task before same split, and so on.

    Of those with one protocol, the one with the fewest other settings. Among equals the first,
    which stands in the paper's main table.
    """
    if not figures:
        return None
    return min(figures, key=lambda figure: distance(figure, subject))


def distance(figure: Figure, subject: Subject) -> tuple[int, ...]:
    """How much each check finds, the gravest first; tuples compare as distances."""
    protocol = [
        len(check(Protocols(figure.column, figure.table.task, subject)))
        for check in PROTOCOL_CHECKS
    ]
    apart = len(figure.preset.other_method(subject.provenance.settings or {}))
    training = [len(check(Pair(figure, subject))) for check in TRAINING_CHECKS]
    return (*protocol, apart, *training)


def other_definition(metric: str, theirs: str, ours: Definition | None) -> tuple[str, ...]:
    """The reason that two definitions differ in what the metric depends on.

    Args:
        metric: "map@200" and so on.
        theirs: name of the published figure's definition.
        ours: None for the same.
    """
    if ours is None:
        return ()
    other = get_definition(theirs)
    parts = differing_parts(parse(metric), other, ours)

    def shown(one: Definition) -> str:
        return f"{one.name} ({', '.join(f'{part}={getattr(one, part)}' for part in parts)})"

    return (f"another definition: {shown(other)}, here {shown(ours)}",) if parts else ()


def differing_parts(metric: Metric, a: Definition, b: Definition) -> tuple[str, ...]:
    """Parts of two definitions that differ and that the metric depends on."""
    if metric.kind == "acc":
        parts: tuple[str, ...] = ("similarity", "gallery")
    elif metric.kind not in _OWN:
        parts = CHOICES  # a metric of another package may depend on any
    else:
        parts = (*_OWN[metric.kind], *_EVERY)
        if metric.kind == "map" and metric.k is not None:
            parts = ("denominator", *parts)
    return tuple(part for part in parts if getattr(a, part) != getattr(b, part))
