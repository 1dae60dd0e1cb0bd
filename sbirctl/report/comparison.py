"""Ours against published: one row a data set, task and metric, seeds taken together."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sbirctl.core.errors import few
from sbirctl.report.comparability import nearest_figure, obstacles, recipe_remark
from sbirctl.report.published import Figure
from sbirctl.report.subject import Subject
from sbirctl.report.training_checks import SHOWN, value_of
from sbirctl.retrieval import metrics as measures
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.definitions import get as get_definition
from sbirctl.retrieval.statistics import beside_interval, seeds_interval

_ROUNDING = 0.0006  # papers print 0.685 in one table and 0.6847 in another
_INSTANCES = ("acc@1", "acc@5", "acc@10")


@dataclass(frozen=True)
class Printed:
    """A published figure in words.

    Attributes:
        value: as a fraction of 1.
        system: whose it is: the row's name.
        definition, protocol, source: how it was measured, on what, where it stands.
    """

    value: float
    system: str
    definition: str
    protocol: str
    source: str


@dataclass(frozen=True)
class Cell:
    """What to measure on one subject, and the figure it stands against (None for none)."""

    metric: str
    definition: Definition
    printed: Printed | None
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """One embeddings file: what it is of, and the figures of its cells (None where undefined)."""

    subject: Subject
    cells: tuple[Cell, ...]
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Row:
    """One measure of one configuration, and what the paper prints for it.

    Attributes:
        runs, seeds: whose mean `ours` is.
        model, dataset, task, metric: what is measured; dataset is "a→b" across data sets.
        ours: the mean over the runs, a fraction of 1; None where it is undefined.
        deviation: sample standard deviation over the runs; None for one run.
        interval: 95 % interval of `ours` over the seeds; None for fewer than three.
        beside: where the published figure lies: "within", "below" or "above" the interval; "" where
            there is none, or the two cannot be compared.
        system: whose row the published figure is, "" for none.
        published: the paper's figure, None where it prints none.
        difference: ours - published; None where the two cannot be compared.
        reason: why not.
        definition, protocol: of ours. published_definition, published_protocol: of the paper's.
        source: paper and table.
        remarks: what else to know of the paper's figure.
    """

    runs: tuple[str, ...]
    seeds: tuple[int | None, ...]
    model: str
    dataset: str
    task: str
    metric: str
    ours: float | None
    deviation: float | None
    published: float | None
    difference: float | None
    reason: str
    definition: str
    protocol: str
    published_definition: str = ""
    published_protocol: str = ""
    source: str = ""
    remarks: str = ""
    system: str = ""
    interval: tuple[float, float] | None = None
    beside: str = ""


def cells_for(
    subject: Subject,
    figures: Sequence[Figure],
    metrics: Sequence[str] = (),
    definition: Definition | None = None,
) -> tuple[Cell, ...]:
    """What to measure: what the card has for this data set and task, and `metrics` besides.

    Args:
        figures: of the card.
        metrics: further ones; where the card has nothing for this data set and task and none is
            given, the usual ones.
        definition: instead of the card's.
    """
    near = [f for f in figures if f.column.dataset == subject.dataset]
    same = [f for f in near if f.table.task == subject.task]
    wanted = [*(f.metric for f in same), *(str(measures.parse(name)) for name in metrics)]
    if not wanted:
        wanted = list(_INSTANCES if subject.task == "fg" else measures.DEFAULT)
    return tuple(_cell(metric, subject, near, definition) for metric in dict.fromkeys(wanted))


def _cell(
    metric: str, subject: Subject, near: Sequence[Figure], definition: Definition | None
) -> Cell:
    candidates = [f for f in near if f.metric == metric]
    figure = nearest_figure(candidates, subject)
    if figure is None:
        return Cell(metric, definition or get_definition("standard"), None, (), ())
    return Cell(
        metric,
        definition or get_definition(figure.table.measured_by),
        printed_of(figure),
        obstacles(figure, subject, definition),
        (*remarks_on(figure, subject), *_elsewhere(figure, candidates)),
    )


def remarks_on(figure: Figure, subject: Subject) -> tuple[str, ...]:
    """What else to know when a run stands beside a figure."""
    return (
        *_of_split(figure),
        *_of_gallery(figure),
        *_of_run(figure, subject),
        *figure.remarks,
    )


def _of_split(figure: Figure) -> tuple[str, ...]:
    if figure.column.split_status != "inferred":
        return ()
    return ("The split is inferred from the paper's numbers of classes.",)


def _of_gallery(figure: Figure) -> tuple[str, ...]:
    either = " or ".join(f"{n:,}" for n in figure.column.photos)
    if len(figure.column.photos) < 2:
        return ()
    return (f"Published work ranks {either} photos; the paper does not say which it does.",)


def _of_run(figure: Figure, subject: Subject) -> tuple[str, ...]:
    said = [recipe_remark(figure, subject), figure.card.paper.figures, pretraining(subject)]
    if dropped := subject.provenance.leaks_dropped:
        said.append(f"{dropped:,} images common to training and test were not trained on.")
    return tuple(text for text in said if text)


def pretraining(subject: Subject) -> str:
    """What our starting weights had learnt, and how many test classes are among it."""
    known = subject.provenance.pretraining
    if known is None or known.data == "none":
        return ""
    said = f"Ours started from weights trained on {known.data} (labels: {known.labels})"
    if known.overlap is None:
        return f"{said}."
    named = f": {few(known.overlap, SHOWN)}" if known.overlap else ""
    return f"{said}; {len(known.overlap)} of {subject.classes} test classes are among them{named}."


def _elsewhere(figure: Figure, candidates: Sequence[Figure]) -> tuple[str, ...]:
    """Other tables of the paper that print another number for the same quantity."""
    return tuple(
        f"Table {other.table.id} prints {other.value:g}."
        for other in candidates
        if other.preset.name == figure.preset.name
        and other.table.task == figure.table.task
        and other.column == figure.column
        and abs(other.value - figure.value) > _ROUNDING
    )


def rows_of(measured: Sequence[Measured]) -> list[Row]:
    """One row a cell and configuration, in the order of the files."""
    groups: dict[tuple[str, int], list[Measured]] = {}
    repeats: dict[tuple[str, int | None], int] = {}
    for one in measured:
        # a seed that comes a second time differs in something else, and begins another group
        seed = (one.subject.configuration, one.subject.seed)
        repeat = repeats[seed] = repeats.get(seed, -1) + 1
        groups.setdefault((one.subject.configuration, repeat), []).append(one)
    return [row for group in groups.values() for row in _rows(group)]


def _rows(group: Sequence[Measured]) -> list[Row]:
    first = group[0]
    found = []
    for number, cell in enumerate(first.cells):
        reasons = dict.fromkeys(reason for one in group for reason in one.cells[number].reasons)
        cell = replace(cell, reasons=tuple(reasons))  # no seed is compared for another's sake
        subjects = [one.subject for one in group]
        found.append(_row(cell, subjects, [one.values[number] for one in group]))
    return found


def _row(cell: Cell, subjects: Sequence[Subject], values: Sequence[float | None]) -> Row:
    subject, printed = subjects[0], cell.printed
    known = [value for value in values if value is not None]
    ours = statistics.fmean(known) if len(known) == len(values) else None
    reasons = list(cell.reasons)
    if printed is None:
        reasons.append("nothing published")
    elif ours is None:
        reasons.append("ours is undefined")
    published = None if printed is None else printed.value
    difference = None
    if not reasons and ours is not None and published is not None:
        difference = ours - published
    interval = seeds_interval(known) if ours is not None else None
    beside = ""
    if difference is not None and interval is not None and published is not None:
        beside = beside_interval(published, interval)
    across = f"{subject.trained_on}→" if subject.trained_on else ""
    return Row(
        runs=tuple(one.run for one in subjects),
        seeds=tuple(one.seed for one in subjects),
        model=subject.model,
        dataset=f"{across}{subject.dataset}",
        task=subject.task,
        metric=cell.metric,
        ours=ours,
        deviation=statistics.stdev(known) if ours is not None and len(known) > 1 else None,
        published=published,
        difference=difference,
        reason="; ".join(reasons),
        definition=explain(cell.metric, cell.definition),
        protocol=subject.protocol,
        published_definition=printed.definition if printed else "",
        published_protocol=printed.protocol if printed else "",
        source=printed.source if printed else "",
        system=printed.system if printed else "",
        remarks=" ".join(cell.remarks),
        interval=interval,
        beside=beside,
    )


def about_interval(published: float, interval: tuple[float, float], seeds: int) -> str:
    """Where a published figure lies beside our interval over seeds, in a sentence."""
    low, high = interval
    where = beside_interval(published, interval)
    return (
        f"The published figure lies {where} our 95 % interval over {seeds} seeds, "
        f"{low:.4f} to {high:.4f}."
    )


def printed_of(figure: Figure) -> Printed:
    """A card's figure in words."""
    column, stated = figure.column, figure.table.definition
    words = [f"task {figure.table.task}"]
    if column.trained_on:
        words[0] += f" trained on {column.trained_on}"
    words.append(f"{column.split} ({column.split_status})" if column.split else "no list published")
    words += [f"{key}={value_of(value)}" for key, value in column.options.items()]
    words.append(f"preset {figure.preset.name}")
    system = str(figure.keys["method"])
    return Printed(
        figure.value,
        system,
        explain(figure.metric, get_definition(stated)) if stated else "not stated",
        "; ".join(words),
        f"{figure.table.source}, {system}",
    )


def explain(metric: str, definition: Definition) -> str:
    """A definition's name and what the metric is under it."""
    return f"{definition.name}: {measures.explain(measures.parse(metric), definition)}"
