"""Tables that papers print, as data: each column with measure, data set, split and definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Column:
    """What one column of a published table measures.

    Attributes:
        metric: "map@200" and so on; "" for a quantity that is no retrieval measure.
        dataset: where the queries and the gallery come from.
        split: list of the test classes as `sbirctl splits` names it, or words where there is none.
        split_status: "stated" in the paper, "inferred" from its numbers of classes, or
            "unpublished": the list named is the nearest there is.
        trained_on: the data set of training where it is another one.
        classes: number of test classes where the paper states it, 0 for not stated.
        rule: how the paper's gallery or queries differ from the split.
        quantity, unit: of a column that is no retrieval measure.
    """

    metric: str = ""
    dataset: str = ""
    split: str = ""
    split_status: Literal["stated", "inferred", "unpublished"] = "stated"
    trained_on: str = ""
    classes: int = 0
    rule: str = ""
    quantity: str = ""
    unit: str = ""

    @property
    def heading(self) -> str:
        """What stands above the column."""
        if not self.metric:
            return f"{self.quantity} ({self.unit})"
        where = f"{self.trained_on}→{self.dataset}" if self.trained_on else self.dataset
        return f"{where} {self.split.partition('/')[2]} {self.metric}".replace("  ", " ")


@dataclass(frozen=True)
class Remark:
    """What a reader must know of one cell, or of a row where `column` is None.

    Attributes:
        method: of the row.
        column: number of the column, from 0, keys not counted.
        text: the remark.
    """

    method: str
    text: str
    column: int | None = None


@dataclass(frozen=True)
class Table:
    """A table of the paper as data: fractions of 1, "-" where the paper leaves a cell empty.

    Attributes:
        id: the table's number in the paper.
        title: what the table shows.
        task: the task of all its columns.
        definition: of the figures, a name `sbirctl evaluate --definition` knows. Rows of
            origin "quoted" stand under the definition of the paper they come from.
        keys: what the first values of a row are; the last key is "origin": "own" for the authors'
            own runs, "code" for others' public code run by them, "quoted" from other papers.
        columns: what the other values are.
        rows: keys and values.
        ours: the method whose rows are the paper's own final figures.
        protocol: the named protocol of the task, "" for its usual one.
        notes: remarks on single cells.
        source, header, note: the same in words, for printing.
    """

    id: str
    title: str
    task: str
    definition: str
    keys: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    ours: str
    protocol: str
    notes: tuple[Remark, ...]
    source: str
    header: tuple[str, ...]
    note: str


def parse_table(data: Mapping[str, Any], paper: str) -> Table:
    """The table of a card's `[[tables]]` entry; `paper` is how the paper is cited.

    Raises:
        LookupError, TypeError, ValueError: a key is missing, unknown or of the wrong kind.
    """
    fields = {**data, "keys": tuple(data["keys"]), "rows": tuple(map(tuple, data["rows"]))}
    columns = tuple(Column(**c) for c in data["columns"])
    notes = tuple(Remark(**n) for n in data.get("notes", ()))
    header = (*data["keys"], *(c.heading for c in columns))
    if any(len(row) != len(header) for row in data["rows"]):
        raise ValueError(f"a row of table {data['id']} has not {len(header)} values")
    places = [
        n.method if n.column is None else f"{n.method}, {columns[n.column].heading}" for n in notes
    ]
    words = "\n".join(f"{place}: {n.text}" for place, n in zip(places, notes, strict=True))
    return Table(
        **{
            "protocol": "",
            **fields,
            "columns": columns,
            "notes": notes,
            "header": header,
            "source": f"{paper}, Table {data['id']}",
            "note": words,
        }
    )
