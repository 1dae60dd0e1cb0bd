"""What a model's paper prints, figure by figure, from its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sbirctl.models import Card, Column, Table


@dataclass(frozen=True)
class Figure:
    """One number of a paper, of the method that the card's model is.

    Attributes:
        table, column: where it stands.
        keys: the row's keys, "method" and "origin" among them.
        value: as a fraction of 1.
        remarks: what the card says of the cell or its row.
    """

    table: Table
    column: Column
    keys: Mapping[str, Any]
    value: float
    remarks: tuple[str, ...]

    @property
    def metric(self) -> str:
        """ "map@200" and so on."""
        return self.column.metric


def figures(card: Card) -> tuple[Figure, ...]:
    """Every retrieval figure of the card's own method, in the order of the tables."""
    return tuple(figure for table in card.tables for figure in _of_table(table))


def as_printed(value: float) -> str:
    """A figure with three digits, or four where the paper has them."""
    return f"{value:.4f}".removesuffix("0")


def _of_table(table: Table) -> list[Figure]:
    found = []
    for row in table.rows:
        keys = dict(zip(table.keys, row, strict=False))
        values = row[len(table.keys) :]
        if keys["method"] != table.ours:
            continue
        for number, (column, value) in enumerate(zip(table.columns, values, strict=True)):
            if column.metric and not isinstance(value, str):
                remarks = _remarks(table, number)
                found.append(Figure(table, column, keys, float(value), remarks))
    return found


def _remarks(table: Table, column: int) -> tuple[str, ...]:
    return tuple(
        note.text
        for note in table.notes
        if note.method == table.ours and note.column in (None, column)
    )
