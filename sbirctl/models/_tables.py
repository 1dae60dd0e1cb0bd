"""Tables that papers print, as data: each column with measure, data set, split and definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Column:
    """What one column of a published table measures.

    Attributes:
        metric: "map@200" and so on; "" for a quantity that is no retrieval measure.
        dataset: where the queries and the gallery come from.
        split: list of the test classes as `sbirctl splits` names it, or words where there is none.
        split_status: "stated" in the paper, or "inferred" from its numbers of classes.
        undetermined: why no run can have just this protocol, in words, where the paper does not
            determine it; "" where it does.
        trained_on: the data set of training where it is another one.
        options: the task's options that hold, where they are not the usual ones.
        trained: number of classes (fine-grained: photo instances) trained on, 0 for not stated.
        classes, queries: of the test, 0 for not stated.
        photos: sizes the gallery may have; several where the paper does not say which, () for
            not stated.
        quantity, unit: of a column that is no retrieval measure.
    """

    metric: str = ""
    dataset: str = ""
    split: str = ""
    split_status: Literal["stated", "inferred"] = "stated"
    undetermined: str = ""
    trained_on: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    trained: int = 0
    classes: int = 0
    queries: int = 0
    photos: tuple[int, ...] = ()
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
        definition: of the figures, a name `sbirctl evaluate --definition` knows; "" where the
            paper states none, which leaves every column undetermined. Rows of origin "quoted"
            stand under the definition of the paper they come from.
        keys: what the first values of a row are; the last keys are "origin" ("own" for the
            authors' own runs, "code" for others' public code run by them, "quoted" from other
            papers) and, where the model here can make rows of the table, "preset": the preset of
            the card that makes the row, "" for other systems. Rows of one preset are one system.
        columns: what the other values are.
        rows: keys and values.
        ours: the method whose rows are the paper's own final figures.
        notes: remarks on single cells.
        quoted_in: the paper that the figures were read in, where it is not their own.
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
    notes: tuple[Remark, ...]
    source: str
    header: tuple[str, ...]
    note: str
    quoted_in: str = ""

    @property
    def measured_by(self) -> str:
        """The definition that ours are measured by beside the table."""
        return self.definition or "standard"


def parse_table(
    data: Mapping[str, Any], paper: str, protocols: Mapping[str, Mapping[str, Any]]
) -> Table:
    """The table of a card's `[[tables]]` entry.

    Args:
        data: the entry.
        paper: how the paper is cited.
        protocols: the card's `[protocols.NAME]`, of which a column may name one.

    Raises:
        LookupError, TypeError, ValueError: a key is missing, unknown or of the wrong kind.
    """
    fields = {**data, "keys": tuple(data["keys"]), "rows": tuple(map(tuple, data["rows"]))}
    columns = tuple(_column(c, protocols) for c in data["columns"])
    notes = tuple(Remark(**n) for n in data.get("notes", ()))
    header = (*data["keys"], *(c.heading for c in columns))
    if any(len(row) != len(header) for row in data["rows"]):
        raise ValueError(f"a row of table {data['id']} has not {len(header)} values")
    if not data["definition"] and not all(c.undetermined for c in columns):
        raise ValueError(f"table {data['id']} has no definition, and columns that are determined")
    places = [
        n.method if n.column is None else f"{n.method}, {columns[n.column].heading}" for n in notes
    ]
    words = "\n".join(f"{place}: {n.text}" for place, n in zip(places, notes, strict=True))
    return Table(
        **{
            **fields,
            "columns": columns,
            "notes": notes,
            "header": header,
            "source": _source(data, paper),
            "note": words,
        }
    )


def _source(data: Mapping[str, Any], paper: str) -> str:
    if quoted := data.get("quoted_in"):
        return f"{paper}, as quoted in {quoted}"
    return f"{paper}, Table {data['id']}"


def _column(data: Mapping[str, Any], protocols: Mapping[str, Mapping[str, Any]]) -> Column:
    own = dict(data)
    name = own.pop("protocol", "")
    merged = {**(protocols[name] if name else {}), **own}
    merged["photos"] = tuple(merged.get("photos", ()))
    return Column(**merged)
