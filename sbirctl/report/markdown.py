"""Pieces of Markdown that tables and pages share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a table; signs that would end a cell are escaped."""

    def line(values: Sequence[object]) -> str:
        return "| " + " | ".join(cell(value) for value in values) + " |"

    return [line(header), line(["---"] * len(header)), *map(line, rows)]


def cell(value: object) -> str:
    """A value as it may stand between two bars."""
    text = f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
