"""Runs against the figures that papers print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.models import MODELS, load_card
from sbirctl.pipeline.evaluate import read_embeddings, say_unstated
from sbirctl.pipeline.pictures import titled
from sbirctl.report.against_ledger import ledger_cells
from sbirctl.report.comparison import Cell, Measured, Row, cells_for, rows_of
from sbirctl.report.published import Figure, figures
from sbirctl.report.subject import subject_of
from sbirctl.retrieval import metrics as measures
from sbirctl.retrieval.definitions import Definition
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options
from sbirctl.retrieval.evaluation import evaluate as rank_and_measure

PAPER = "paper"
LEDGER = "ledger"


@dataclass(frozen=True)
class ReportRequest:
    """What is asked for.

    Attributes:
        against: "paper" for each model's own, "ledger" for every published row of the task and
            data set, or the model whose card is meant.
        metrics: measured besides those of the card.
        definition: of ours, None for the paper's.
        options: codes, memory, device.
        labels: of the runs, one for each place; empty for those kept with them, or their names.
    """

    against: str = PAPER
    metrics: Sequence[str] = ()
    definition: Definition | None = None
    options: Options = field(default_factory=Options)
    labels: Sequence[str] = ()


def report(
    places: Sequence[Path | None], request: ReportRequest | None = None, report: Reporter = SILENT
) -> list[Row]:
    """Measure what a card has figures for, under its definition, and set both side by side.

    Args:
        places: embeddings files or run folders, None for the newest run. Runs that differ only in
            the seed make one row.

    Raises:
        UsageError: `against` is no model, or a metric is none.
        MissingError: there is no such file or run.
    """
    request = request or ReportRequest()
    own = request.against in (PAPER, LEDGER)
    against = None if own else figures(load_card(request.against))
    return rows_of(
        [
            _measure(path, title, against, request, report)
            for path, title in titled(places, request.labels, report)
        ]
    )


def check(rows: Sequence[Row], tolerance: float) -> None:
    """Nothing, if every figure that can be compared is near enough.

    Args:
        tolerance: the largest difference, in either direction, a fraction of 1.

    Raises:
        SbirctlError: a difference is larger, or nothing can be compared.
    """
    compared = [(row, row.difference) for row in rows if row.difference is not None]
    if not compared:
        raise SbirctlError(
            "No figure can be compared with a published one.",
            "The rows say why; `--against MODEL` takes another model's paper.",
        )
    far = [f"{r.dataset} {r.metric} by {d:+.4f}" for r, d in compared if abs(d) > tolerance]
    if far:
        raise SbirctlError(
            f"{len(far)} of {len(compared)} figures differ by more than {tolerance:g}: "
            f"{', '.join(far)}.",
            "A larger --tolerance lets them pass.",
        )


def _measure(
    path: Path,
    title: str,
    against: Sequence[Figure] | None,
    request: ReportRequest,
    report: Reporter,
) -> Measured:
    embeddings = read_embeddings(path, report, vectors=False)
    say_unstated(embeddings, path, report)
    subject = replace(subject_of(embeddings, path), run=title)
    if request.against == PAPER and subject.model not in MODELS:
        report.warn(f"{display_path(path)} names no model with a card, so no paper is known.")
    own = figures(load_card(subject.model)) if subject.model in MODELS else ()
    if request.against == LEDGER:
        cells = ledger_cells(subject, own, request.definition)
        if request.metrics or not cells:
            cells += cells_for(subject, (), request.metrics, request.definition)
    else:
        figures_of = own if against is None else against
        cells = cells_for(subject, figures_of, request.metrics, request.definition)
    if embeddings.query_instance is None and any(c.metric.startswith("acc") for c in cells):
        report.warn(f"{display_path(path)} has no instances: acc@K is left empty.")
    return Measured(subject, cells, _values(embeddings, cells, request.options, report))


def _values(
    e: Embeddings, cells: Sequence[Cell], options: Options, report: Reporter
) -> tuple[float | None, ...]:
    """The figure of each cell, from one evaluation; `acc@K` without instances has none."""
    known = [c for c in cells if e.query_instance is not None or not c.metric.startswith("acc")]
    if not known:
        return tuple(None for _ in cells)
    definitions = list({c.definition.name: c.definition for c in known}.values())
    metrics = [measures.parse(name) for name in dict.fromkeys(c.metric for c in known)]
    results = rank_and_measure(e, metrics, definitions, options, report)
    named = {result.definition.name: result for result in results}
    return tuple(named[c.definition.name].mean(c.metric) if c in known else None for c in cells)
