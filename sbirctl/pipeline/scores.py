"""What is asked of an evaluation, and its scores as JSON values; docs/formats.md lists the keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np

from sbirctl.models import trust_remark
from sbirctl.retrieval import metrics as measures
from sbirctl.retrieval.chance import chance_levels
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.definitions import get as get_definition
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options, Result
from sbirctl.retrieval.statistics import Unit, bootstrap_intervals, class_interval

SCHEMA = 2

Figures = dict[str, float | None]
"""{metric: figure}, None where the definition has no mean."""


class BinaryCode(TypedDict):
    """Which codes were ranked."""

    code: str
    bits: int


class Scores(TypedDict):
    """What `evaluate --json` prints. A given ranking has `depth` and knows no gallery or data."""

    schema: int
    metrics: Figures
    chance: Figures
    definitions: dict[str, str]
    definition: dict[str, str]
    queries: int
    depth: NotRequired[int]
    gallery: NotRequired[int]
    classes: NotRequired[int]
    queries_without_relevant: NotRequired[int]
    gallery_duplicates: NotRequired[int | None]
    scope: NotRequired[str]
    binary: NotRequired[BinaryCode]
    model: NotRequired[str]
    trust: NotRequired[str]
    checkpoint: NotRequired[str]
    store: NotRequired[str]
    task: NotRequired[str]
    split: NotRequired[str]
    provenance: NotRequired[dict[str, Any]]
    seen: NotRequired[Figures]
    unseen: NotRequired[Figures]
    harmonic: NotRequired[Figures]
    intervals: NotRequired[dict[str, list[float] | None]]
    interval_unit: NotRequired[str]
    per_class: NotRequired[dict[str, Figures]]
    ties: NotRequired[Ties]


class Ties(TypedDict):
    """Where many scores are equal: their share, and the figures by each rule."""

    share: float
    gallery: Figures
    grouped: Figures
    pessimistic: Figures


@dataclass(frozen=True)
class EvaluateRequest:
    """What is asked for.

    Attributes:
        metrics: names, the default ones if empty.
        definition: which definition.
        options: codes, memory, device.
        interval: also a 95 % bootstrap interval of each figure, over classes, queries or what the
            task says (auto).
        per_class: also the mean of every class.
        per_query: file for the values of every query, or None.
        trec: folder for the ranking as `run.txt` and its judgements as `qrels.txt`, or None.
        depth: photos a query there.
    """

    metrics: Sequence[str] = ()
    definition: Definition = field(default_factory=lambda: get_definition("standard"))
    options: Options = field(default_factory=Options)
    interval: Literal["", "auto", "class", "query"] = ""
    per_class: bool = False
    per_query: Path | None = None
    trec: Path | None = None
    depth: int = 1000


def describe(
    e: Embeddings, result: Result, metrics: Sequence[measures.Metric], request: EvaluateRequest
) -> Scores:
    """The scores as JSON values; docs/formats.md lists the keys."""
    names = list(result.values)
    scores: Scores = {
        "schema": SCHEMA,
        "metrics": {name: result.mean(name) for name in names},
        "chance": chance_levels(e, result, metrics, request.options.seed),
        "definitions": {str(m): _explain(m, result.definition, e) for m in metrics},
        "definition": {"name": result.definition.name, **result.definition.choices()},
        "queries": len(e.query),
        "gallery": len(e.gallery),
        "classes": len(np.unique(e.query_label)),
        "queries_without_relevant": int(np.count_nonzero(result.relevant == 0)),
        "gallery_duplicates": e.count_duplicates(),
        "scope": e.scope,
        "model": e.model,
        "trust": trust_remark(e.model),
        "checkpoint": e.checkpoint,
        "store": e.store,
        "task": e.task,
        "split": e.split,
        "provenance": e.provenance.to_json(),
    }
    if result.definition.similarity == "hamming":
        itq = request.options.binary == "itq"
        bits = request.options.bits if itq else e.query.shape[1]
        scores["binary"] = {"code": request.options.binary, "bits": bits}
    if e.seen is not None and e.seen.any():
        rows = e.seen[e.query_label]
        if not rows.all():  # else there is nothing to tell apart
            scores["seen"] = {name: result.mean(name, rows) for name in names}
            scores["unseen"] = {name: result.mean(name, ~rows) for name in names}
            scores["harmonic"] = {
                name: harmonic_mean(scores["seen"][name], scores["unseen"][name]) for name in names
            }
    if request.interval:
        unit = unit_of(e) if request.interval == "auto" else request.interval
        scores["intervals"] = intervals(e, result, unit)
        scores["interval_unit"] = unit
    if request.per_class:
        scores["per_class"] = _per_class(e, result)
    return scores


def harmonic_mean(a: float | None, b: float | None) -> float | None:
    """2 a b / (a + b), as generalised zero-shot work sums up seen and unseen; 0 if both are 0."""
    if a is None or b is None:
        return None
    return 2 * a * b / (a + b) if a + b else 0.0


def _explain(metric: measures.Metric, definition: Definition, e: Embeddings) -> str:
    given = (
        ""
        if e.matrix is None
        else "scores as given"
        if e.distances is None
        else "distances as given"
    )
    return measures.explain(metric, definition, given)


def unit_of(e: Embeddings) -> Unit:
    """What is drawn by chance: the task says; the query where no task is known."""
    from sbirctl.tasks import TASKS

    return TASKS.get(e.task).unit if e.task in TASKS else "query"


def intervals(e: Embeddings, result: Result, unit: Unit) -> dict[str, list[float] | None]:
    """{metric: 95 % interval}: None where no query counts, or where the classes are the unit and
    there is only one.

    Metrics of the same queries are drawn together.
    """
    alike: dict[bytes, list[str]] = {}
    for name, value in result.values.items():
        alike.setdefault(np.isnan(value).tobytes(), []).append(name)
    found: dict[str, list[float] | None] = dict.fromkeys(result.values)
    for names in alike.values():
        values = np.array([result.values[name] for name in names])
        counts = ~np.isnan(values[0])
        group = None if result.group is None else result.group[counts]
        label = (e.query_label if e.query_group is None else e.query_group)[counts]
        if not counts.any() or (unit == "class" and len(np.unique(label)) < 2):
            continue
        if unit == "query":
            ends = bootstrap_intervals(values[:, counts], group)
        else:
            macro = group is not None
            ends = [class_interval(value[counts], label, macro=macro) for value in values]
        found |= {name: list(pair) for name, pair in zip(names, ends, strict=True)}
    return found


def _per_class(e: Embeddings, result: Result) -> dict[str, Figures]:
    label, classes = e.query_label, e.classes
    if e.scope == "class" and e.query_group is not None:
        label, classes = e.query_group, e.groups
    found: dict[str, Figures] = {}
    for code in np.unique(label):
        name = classes[code] if classes else str(code)
        found[name] = {"queries": int(np.count_nonzero(label == code))}
    for metric in result.values:
        means = result.per_class(metric, label)
        for entry, (mean, _) in zip(found.values(), means.values(), strict=True):
            entry[metric] = mean
    return found
