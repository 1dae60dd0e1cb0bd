"""Results that show themselves as a table: in a terminal, in a notebook, in pandas."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

Cell = str | float | int | None


class Table(ABC):
    """What a result needs to be shown: a header and rows."""

    @abstractmethod
    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Cell]]]:
        """Header and rows; figures as floats, None where there is none."""

    def __repr__(self) -> str:
        header, rows = self._table()
        cells = [list(header), *([_shown(cell) for cell in row] for row in rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
        right = [all(not isinstance(row[i], str) for row in rows) for i in range(len(header))]
        lines = []
        for row in cells:
            padded = (
                cell.rjust(width) if to_right else cell.ljust(width)
                for cell, width, to_right in zip(row, widths, right, strict=True)
            )
            lines.append("  ".join(padded).rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        header, rows = self._table()
        top = "".join(f"<th>{html.escape(name)}</th>" for name in header)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_shown(cell))}</td>" for cell in row) + "</tr>"
            for row in rows
        )
        return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"

    def to_pandas(self) -> Any:
        """A DataFrame of the same table, its first column as index; needs pandas.

        Raises:
            MissingError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            from sbirctl.core.errors import MissingError

            raise MissingError("pandas is not installed.", "Type `pip install pandas`.") from error
        header, rows = self._table()
        frame = pd.DataFrame([list(row) for row in rows], columns=list(header))
        return frame.set_index(header[0])


def _shown(cell: Cell) -> str:
    if cell is None or cell != cell:  # NaN
        return ""
    return f"{cell:.4f}" if isinstance(cell, float) else str(cell)
