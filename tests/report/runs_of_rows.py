"""Runs that a card's rows were made by, and runs with one thing changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sbirctl.core.config import resolve, to_dict
from sbirctl.edges.settings import edge_settings
from sbirctl.models import Card, load_card
from sbirctl.report.published import Figure, figures
from sbirctl.report.subject import Subject
from sbirctl.retrieval.provenance import Counts, EdgeMaps, Provenance, Weights
from sbirctl.splits.resolve import find
from sbirctl.tasks import TASKS


def figure_of(
    model: str, preset: str, dataset: str, metric: str, task: str = "cg", **column: Any
) -> Figure:
    """The first figure of a preset; `column` says what else its column has."""
    return next(
        f
        for f in figures(load_card(model))
        if (f.preset.name, f.column.dataset, f.metric, f.table.task)
        == (preset, dataset, metric, task)
        and all(getattr(f.column, key) == value for key, value in column.items())
    )


def run_of(figure: Figure, **changes: Any) -> Subject:
    """A run with all that the row says of itself.

    Args:
        changes: of the subject; what is no field of it is of its provenance.
    """
    column, task = figure.column, figure.table.task
    schema = TASKS.get(task).Options
    listed = "/" in column.split
    source = column.trained_on or column.dataset
    known = Provenance(
        task=task,
        options=to_dict(resolve(schema, column.options)),
        protocol=column.options.get("protocol"),
        dataset=source,
        target=column.dataset if column.trained_on else None,
        split=column.split if listed else None,
        unseen=find("", column.split).unseen if listed and task in ("cg", "cd") else None,
        gallery=column.options.get("gallery", "all"),
        scope=column.options.get("scope", "all"),
        published_queries=not listed,
        counts={"train": Counts(column.trained, 10_000, 10_000), "test": Counts(1, 1, 1)},
        settings=figure.preset.settings,
        weights=Weights("published", "0" * 64, "pretrained"),
        trained=True,
        refit=True,
        edges=edges(figure.preset.edges) if figure.preset.edges else None,
        side="test",
    )
    own = {key: value for key, value in changes.items() if key in Subject.__dataclass_fields__}
    rest = {key: value for key, value in changes.items() if key not in own}
    subject = Subject(
        run="run",
        model=figure.card.name,
        task=task,
        split=column.split if listed else "",
        dataset=column.dataset,
        trained_on=column.trained_on,
        side="test",
        queries=column.queries or 500,
        photos=column.photos[0] if column.photos else 700,
        classes=column.classes or 7,
        dim=512,
        seed=0,
        checkpoint="",
        configuration="",
        provenance=replace(known, **rest),
    )
    return replace(subject, **own)


def edges(method: str, **parameters: Any) -> EdgeMaps:
    """Edge maps of a method with its own parameters, or others."""
    held = to_dict(edge_settings(method, parameters))
    return EdgeMaps(method, method, held, "0" * 64)


def changed(figure: Figure, **settings: Any) -> Mapping[str, Any]:
    """The row's settings with some of another value."""
    return {**figure.preset.settings, **settings}


def cards_with_rows() -> list[Card]:
    """The cards whose tables have rows that a model here makes."""
    from sbirctl.models import MODELS

    return [card for name in MODELS.names() if figures(card := load_card(name))]
