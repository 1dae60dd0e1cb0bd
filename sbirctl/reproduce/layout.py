"""A table in the paper's own layout: Markdown, LaTeX, CSV.

Under each row that is made here stands ours; bracketed marks lead to the reasons beneath.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from sbirctl.report import markdown
from sbirctl.report.tables import latex_tabular, latex_text
from sbirctl.reproduce.measured import Line, TableCell, TableResult

OURS = "here"
_CSV = (
    "table", "method", "group", "column", "published", "ours", "deviation", "difference",
    "not compared because", "remarks", "runs", "definition",
)  # fmt: skip


class Laid:
    """A table as text: header, rows of cells, and the notes that the marks lead to."""

    def __init__(self, table: TableResult) -> None:
        self.table = table
        self.place = table.keys.index("method") if "method" in table.keys else 0  # of row names
        self.notes: dict[str, int] = {}
        self.rows: list[tuple[bool, list[str]]] = []  # (ours, cells)
        for line in table.lines:
            self.rows.append((False, [*line.keys, *map(self._published, _placed(table, line))]))
            if line.made:
                keys = ["" for _ in line.keys]
                keys[self.place] = OURS
                self.rows.append((True, [*keys, *map(self._ours, _placed(table, line))]))

    @property
    def header(self) -> list[str]:
        """Keys and columns, each column under the name of its group."""
        groups = [label for label, count in self.table.groups for _ in range(count)]
        pairs = zip(groups, self.columns, strict=True)
        return [*self.table.keys, *(f"{group} {column}".strip() for group, column in pairs)]

    @property
    def columns(self) -> list[str]:
        """Headings without their group, with the unit."""
        pairs = zip(self.table.columns, self.table.units, strict=True)
        return [f"{name} ({unit})" if unit else name for name, unit in pairs]

    @property
    def told(self) -> list[str]:
        """The notes, numbered, and what the table itself says."""
        numbered = [f"[{number}] {text}" for text, number in self.notes.items()]
        return [*numbered, *self.table.notes]

    def _published(self, placed: tuple[TableCell, bool]) -> str:
        cell, measure = placed
        return "-" if cell.published is None else self._shown(cell.published, measure)

    def _ours(self, placed: tuple[TableCell, bool]) -> str:
        cell, measure = placed
        if cell.published is None:
            return ""
        text = "-" if cell.ours is None else self._exact(cell.ours, measure)
        if cell.deviation is not None:
            text += f" ± {self._exact(cell.deviation, measure)}"
        if cell.difference is not None:
            signed = f"{self._scaled(cell.difference, measure):+.{self._digits(measure)}f}"
            text += f" ({signed.replace('-', '−')})"
        marks = [self._mark(note) for note in (cell.reason, cell.remarks) if note]
        return f"{text} [{', '.join(map(str, marks))}]" if marks else text

    def _mark(self, text: str) -> int:
        return self.notes.setdefault(text, len(self.notes) + 1)

    def _scaled(self, value: float, measure: bool) -> float:
        return 100 * value if self.table.percent and measure else value

    def _digits(self, measure: bool) -> int:
        return 2 if self.table.percent or not measure else 4

    def _exact(self, value: float, measure: bool) -> str:
        if self.table.whole:
            return f"{value:,.0f}"
        return f"{self._scaled(value, measure):.{self._digits(measure)}f}"

    def _shown(self, value: float, measure: bool) -> str:
        """As papers print it: three digits of a fraction, or four where there are four."""
        text = self._exact(value, measure)
        return text if self.table.whole else text.removesuffix("0")


def _placed(table: TableResult, line: Line) -> list[tuple[TableCell, bool]]:
    """Each cell with whether it is a retrieval measure."""
    return [(cell, not unit) for cell, unit in zip(line.cells, table.units, strict=True)]


def to_markdown(table: TableResult) -> str:
    """A heading, the table, and the notes."""
    laid = Laid(table)
    rows = [[f"*{c}*" if ours and c else c for c in cells] for ours, cells in laid.rows]
    lines = [f"## {heading(table)}", "", *markdown.table(laid.header, rows), ""]
    return "\n".join([*lines, *(f"{text}\n" for text in laid.told)]).rstrip() + "\n"


def to_latex(table: TableResult) -> str:
    """A tabular for the package booktabs, groups over their columns, notes in small print."""
    laid = Laid(table)
    start, rules, spans = len(table.keys) + 1, [], ["" for _ in table.keys]
    for label, count in table.groups:
        spans.append(rf"\multicolumn{{{count}}}{{c}}{{{latex_text(label)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + count - 1}}}" if label else "")
        start += count
    body = [_latex_line(cells, italic=ours) for ours, cells in laid.rows]
    head = [
        " & ".join(spans) + r" \\",
        " ".join(rule for rule in rules if rule),
        _latex_line([*table.keys, *laid.columns]),
    ]
    columns = "l" * len(table.keys) + "c" * len(table.columns)
    return latex_tabular(columns, head, body, laid.told, heading(table))


def _latex_line(cells: Sequence[str], *, italic: bool = False) -> str:
    texts = [latex_text(cell) for cell in cells]
    shown = [rf"\textit{{{text}}}" if italic and text else text for text in texts]
    return " & ".join(shown) + r" \\"


def to_csv(table: TableResult) -> str:
    """A line a cell, full precision."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_CSV)
    groups = [label for label, count in table.groups for _ in range(count)]
    method = Laid(table).place
    for line in table.lines:
        for group, column, cell in zip(groups, table.columns, line.cells, strict=True):
            writer.writerow(
                (
                    table.id, line.keys[method], group, column, cell.published, cell.ours,
                    cell.deviation, cell.difference, cell.reason, cell.remarks,
                    " ".join(cell.runs), table.definition,
                )
            )  # fmt: skip
    return stream.getvalue()


def heading(table: TableResult) -> str:
    """Number and title, and whose it is."""
    return f"{table.source}: {table.title}"


FORMATS: dict[str, Callable[[TableResult], str]] = {
    "md": to_markdown,
    "latex": to_latex,
    "csv": to_csv,
}
