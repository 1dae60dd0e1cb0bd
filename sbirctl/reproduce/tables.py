"""The tables of a paper with our figures, measured under the paper's definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sbirctl.models import Card, Table
from sbirctl.report.comparability import obstacles, recipe_remark
from sbirctl.report.comparison import pretraining
from sbirctl.report.published import Figure, figures
from sbirctl.report.subject import Subject, subject_of
from sbirctl.reproduce.exhibits import Exhibit
from sbirctl.reproduce.measured import (
    NOT_COMPARABLE,
    TableCell,
    TableResult,
    measured_cell,
    quantity,
    table_result,
)
from sbirctl.reproduce.plan import ExhibitSource, Planner
from sbirctl.reproduce.runner import Runner
from sbirctl.retrieval import definitions
from sbirctl.retrieval import embeddings as files
from sbirctl.retrieval import metrics as measures
from sbirctl.retrieval.evaluation import evaluate

OTHER_MACHINE = "measured on another machine"
OTHER_COUNT = "see `sbirctl models show {}` for what is counted"


@dataclass(frozen=True)
class MeasuredRun:
    """One embeddings file: what it is of, its run, and {metric: figure}."""

    subject: Subject
    run: Path
    values: Mapping[str, float | None]


def make_table(exhibit: Exhibit, planner: Planner, runner: Runner) -> TableResult:
    """Train, embed and measure what a table needs.

    A cell whose data are not there has that as its reason.
    """
    table = exhibit.table
    assert table is not None
    metrics = tuple(dict.fromkeys(c.metric for c in table.columns if c.metric))
    measured: dict[str, MeasuredRun] = {}
    cells = {}
    for place, sources in planner.table_sources(exhibit).items():
        for source in sources:
            if source.key not in measured and not runner.lacking(source):
                measured[source.key] = _measure(source, runner, table, metrics)
        cells[place] = cell_of(table, place, sources, measured, planner, runner)
    said = planner.paper.card.paper.figures
    return table_result(planner.paper, table, cells, [said] if said else [])


def _measure(
    source: ExhibitSource, runner: Runner, table: Table, metrics: Sequence[str]
) -> MeasuredRun:
    path = runner.embeddings(source)
    e = files.read(path)
    known = [name for name in metrics if e.query_instance is not None or name[:3] != "acc"]
    (found,) = evaluate(
        e, [measures.parse(name) for name in known], [definitions.get(table.measured_by)]
    )
    return MeasuredRun(
        subject_of(e, path),
        runner.run(source.training),
        {name: found.mean(name) for name in known},
    )


def cell_of(
    table: Table,
    place: tuple[int, int],
    sources: Sequence[ExhibitSource],
    measured: Mapping[str, MeasuredRun],
    planner: Planner,
    runner: Runner,
) -> TableCell:
    """One cell with ours, and the difference or the reason that there is none.

    Args:
        place: row and column of the table. sources: one a seed.
        measured: {key of a source: what it gave}; of sources whose data are there.
    """
    row, column = table.rows[place[0]], table.columns[place[1]]
    published = float(row[len(table.keys) + place[1]])
    if lacking := "; ".join(dict.fromkeys(filter(None, map(runner.lacking, sources)))):
        return TableCell(published, reason=lacking)
    found = [measured[source.key] for source in sources]
    runs = [one.run.name for one in found]
    if not column.metric:
        values = [quantity(column, one.run) for one in found]
        machine = column.quantity not in ("parameters", "convergence")
        reason = OTHER_MACHINE if machine else OTHER_COUNT.format(planner.paper.card.name)
        return measured_cell(published, values, runs, [reason], [])
    values = [one.values.get(column.metric) for one in found]
    if planner.small:
        return measured_cell(published, values, runs, [NOT_COMPARABLE], [])
    figure = figure_at(planner.paper.card, table, place)
    reasons = [reason for one in found for reason in obstacles(figure, one.subject)]
    told = [
        text
        for one in found
        for text in (recipe_remark(figure, one.subject), pretraining(one.subject))
    ]
    remarks = [*figure.remarks, *told]
    return measured_cell(published, values, runs, reasons, [text for text in remarks if text])


def figure_at(card: Card, table: Table, place: tuple[int, int]) -> Figure:
    """The figure that stands in a cell (row, column) of a table of the card."""
    keys = dict(zip(table.keys, table.rows[place[0]], strict=False))
    column = table.columns[place[1]]
    return next(
        one
        for one in figures(card)
        if one.table is table and one.column is column and one.keys == keys
    )
