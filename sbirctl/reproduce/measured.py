"""A table with our figures in it, each beside the published one."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sbirctl.core.files import read_json
from sbirctl.core.home import RESULT
from sbirctl.models import Column, Table
from sbirctl.report.comparison import about_interval
from sbirctl.reproduce.exhibits import ReproducedPaper, table_system
from sbirctl.retrieval.statistics import seeds_interval

NOT_COMPARABLE = "made with --small: not comparable"
_KEYS_LEFT_OUT = ("origin", "preset", "terms")


@dataclass(frozen=True)
class TableCell:
    """One figure of a table, fractions of 1 where it is a retrieval measure.

    Attributes:
        published: None where the paper leaves the cell empty.
        ours: mean over the seeds, None where it was not made.
        deviation: sample standard deviation, None for one seed.
        difference: ours - published; None while a reason stands.
        reason: why not, "" for none.
        remarks: what else to know.
        runs: names of the runs.
    """

    published: float | None
    ours: float | None = None
    deviation: float | None = None
    difference: float | None = None
    reason: str = ""
    remarks: str = ""
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A row as the paper prints it; `made` where the model here makes it."""

    keys: tuple[str, ...]
    made: bool
    cells: tuple[TableCell, ...]


@dataclass(frozen=True)
class TableResult:
    """A table as the paper has it.

    Attributes:
        id, title, source: of the table; the source cites the paper.
        definition: of its figures.
        keys: headings of the first columns.
        groups: (heading, number of columns) above the others.
        columns: their headings.
        units: "" for a retrieval measure, else what the figures are in.
        lines: its rows.
        percent: whether it prints per cent.
        whole: whether all figures are whole numbers.
        notes: what stands beneath.
    """

    id: str
    title: str
    source: str
    definition: str
    keys: tuple[str, ...]
    groups: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    units: tuple[str, ...]
    lines: tuple[Line, ...]
    percent: bool = False
    whole: bool = False
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TableResult:
        """What `to_json` gave."""
        lines = [
            Line(
                tuple(line["keys"]),
                line["made"],
                tuple(TableCell(**{**cell, "runs": tuple(cell["runs"])}) for cell in line["cells"]),
            )
            for line in value["lines"]
        ]
        listed = {key: tuple(value[key]) for key in ("keys", "columns", "units", "notes")}
        groups = tuple((label, count) for label, count in value["groups"])
        return cls(**{**value, **listed, "groups": groups, "lines": tuple(lines)})


def table_result(
    paper: ReproducedPaper,
    table: Table,
    cells: Mapping[tuple[int, int], TableCell],
    notes: Iterable[str] = (),
) -> TableResult:
    """The table with what was made.

    Args:
        cells: {(row, column): ours}; the others have the published figure alone.
    """
    shown = [k for k in table.keys if k not in _KEYS_LEFT_OUT]
    lines = []
    for number, row in enumerate(table.rows):
        keys = dict(zip(table.keys, row, strict=False))
        values = [_printed(value) for value in row[len(table.keys) :]]
        own = [cells.get((number, place), TableCell(v)) for place, v in enumerate(values)]
        made = table_system(table, row) is not None
        lines.append(Line(tuple(str(keys[k]) for k in shown), made, tuple(own)))
    return TableResult(
        table.id,
        table.title,
        table.source,
        table.definition,
        tuple(shown),
        _groups(paper, table.columns),
        tuple(paper.label(c.metric) if c.metric else c.quantity for c in table.columns),
        tuple(c.unit for c in table.columns),
        tuple(lines),
        paper.percent,
        notes=(*(text for text in table.note.splitlines() if text), *notes),
    )


def measured_cell(
    published: float,
    values: Sequence[float | None],
    runs: Sequence[str],
    reasons: Sequence[str],
    remarks: Sequence[str],
) -> TableCell:
    """A cell from the figures of its seeds; a difference only where no reason stands."""
    known = [value for value in values if value is not None]
    ours = statistics.fmean(known) if known and len(known) == len(values) else None
    reasons = list(dict.fromkeys(reasons))
    if ours is None and not reasons:
        reasons.append("ours is undefined")
    if not reasons and (interval := seeds_interval(known)):
        remarks = [*remarks, about_interval(published, interval, len(known))]
    return TableCell(
        published,
        ours,
        statistics.stdev(known) if ours is not None and len(known) > 1 else None,
        None if reasons or ours is None else ours - published,
        "; ".join(reasons),
        " ".join(dict.fromkeys(remarks)),
        tuple(runs),
    )


def quantity(column: Column, run: Path) -> float | None:
    """What a run cost, in the column's unit; None where its files do not say.

    Raises:
        MissingError: the run is not finished.
    """
    result = read_json(run / RESULT)
    if column.quantity == "parameters":
        return float(result["parameters"]["all"]) / 1e6
    if column.quantity == "convergence":
        return float(sum(result["chosen_epochs"].values()))
    if column.quantity == "training time":
        return float(result["minutes"])
    speed = run / "embeddings.json"
    if column.quantity == "inference" and speed.is_file():
        found = read_json(speed).get("images_per_second")  # not of several models together
        return None if found is None else float(found)
    return None


def _printed(value: str | float) -> float | None:
    return None if isinstance(value, str) else float(value)


def _groups(paper: ReproducedPaper, columns: Sequence[Column]) -> tuple[tuple[str, int], ...]:
    """Neighbouring columns of one protocol under one heading."""
    found: list[tuple[str, int]] = []
    for column in columns:
        place = f"{column.trained_on}→{column.dataset}" if column.trained_on else column.dataset
        label = paper.label(column.split, place) if column.metric else ""
        if found and found[-1][0] == label:
            found[-1] = (label, found[-1][1] + 1)
        else:
            found.append((label, 1))
    return tuple(found)
