"""What a model's paper prints, figure by figure, from its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sbirctl.models import Card, Column, Preset, Table


@dataclass(frozen=True)
class Figure:
    """One number of a paper that the card's model can make.

    Attributes:
        table, column: where it stands.
        keys: the row's keys, "method" and "origin" among them.
        value: as a fraction of 1.
        remarks: what the card says of the cell or its row.
        card: whose figure it is.
        preset: the settings that make it.
    """

    table: Table
    column: Column
    keys: Mapping[str, Any]
    value: float
    remarks: tuple[str, ...]
    card: Card
    preset: Preset

    @property
    def metric(self) -> str:
        """ "map@200" and so on."""
        return self.column.metric


def figures(card: Card) -> tuple[Figure, ...]:
    """Every retrieval figure of rows that the card's model makes, in the order of the tables."""
    return tuple(figure for table in card.tables for figure in _of_table(card, table))


def as_printed(value: float) -> str:
    """A figure with three digits, or four where the paper has them."""
    return f"{value:.4f}".removesuffix("0")


def _of_table(card: Card, table: Table) -> list[Figure]:
    found = []
    for row in table.rows:
        keys = dict(zip(table.keys, row, strict=False))
        values = row[len(table.keys) :]
        if not keys.get("preset"):
            continue
        preset = card.presets[keys["preset"]]
        for number, (column, value) in enumerate(zip(table.columns, values, strict=True)):
            if column.metric and not isinstance(value, str):
                remarks = _remarks(table, keys, number)
                found.append(Figure(table, column, keys, float(value), remarks, card, preset))
    return found


def _remarks(table: Table, keys: Mapping[str, Any], column: int) -> tuple[str, ...]:
    noted = [
        note.text
        for note in table.notes
        if note.method == keys["method"] and note.column in (None, column)
    ]
    if keys["origin"] == "code":
        noted.append("The paper's authors ran others' public code.")
    return tuple(noted)
