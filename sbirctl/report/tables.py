"""Comparisons as text: Markdown and LaTeX for people, CSV and JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from sbirctl.report import markdown
from sbirctl.report.comparison import Row, about_interval
from sbirctl.report.published import as_printed

HEADER = (
    "model", "data set", "task", "metric", "ours", "deviation", "runs", "published", "difference",
    "not compared because", "definition", "protocol", "published definition", "published protocol",
    "source", "remarks", "system", "interval low", "interval high", "published lies",
)  # fmt: skip
SCHEMA = 1
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "→": r"$\to$", "−": r"$-$", "<": r"$<$", ">": r"$>$", "\n": " ",
}  # fmt: skip


def cells(row: Row) -> list[object]:
    """The values under `HEADER`; numbers stay numbers, None is an empty cell."""
    return [
        row.model, row.dataset, row.task, row.metric, row.ours, row.deviation, len(row.runs),
        row.published, row.difference, row.reason, row.definition, row.protocol,
        row.published_definition, row.published_protocol, row.source, row.remarks, row.system,
        *(row.interval or (None, None)), row.beside,
    ]  # fmt: skip


def to_json(rows: Sequence[Row]) -> str:
    """`{"schema": 1, "rows": [...]}`, a row with the names of `Row`."""
    value = {"schema": SCHEMA, "rows": [asdict(row) for row in rows]}
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """Comma-separated values with a header line; full precision."""
    return _separated(rows, ",")


def to_tsv(rows: Sequence[Row]) -> str:
    """Tab-separated values with a header line; full precision."""
    return _separated(rows, "\t")


def _separated(rows: Sequence[Row], delimiter: str) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(cells(row) for row in rows)
    return stream.getvalue()


def to_markdown(rows: Sequence[Row]) -> str:
    """A table whose bracketed numbers lead to definition and protocol of each figure below it."""
    header, body, notes = readable(rows)

    told = [f"{mark} {text}\n" for mark, text in notes]
    return "\n".join([*markdown.table(header, body), "", *told]).rstrip() + "\n"


def to_latex(rows: Sequence[Row]) -> str:
    """A tabular for the package booktabs, with the notes as small print beneath."""
    header, body, notes = readable(rows)

    def line(values: Sequence[str]) -> str:
        return " & ".join(map(latex_text, values)) + r" \\"

    wide = r"p{0.35\linewidth}"  # the last column holds reasons in words
    columns = f"{'l' * (len(header) - 1)}{wide}"
    told = [f"{mark} {text}" for mark, text in notes]
    return latex_tabular(columns, [line(header)], list(map(line, body)), told)


def latex_tabular(
    columns: str,
    head: Sequence[str],
    body: Sequence[str],
    notes: Sequence[str],
    title: str = "",
) -> str:
    """A tabular of lines of LaTeX, with notes as small print beneath.

    Args:
        columns: LaTeX's letters. head, body: lines of LaTeX. notes: plain text.
        title: for a comment above it.
    """
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            *([f"% {title}"] if title else []),
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
            r"\smallskip",
            r"{\footnotesize",
            *(rf"{latex_text(text)}\par" for text in notes),
            "}\n",
        ]
    )


def readable(
    rows: Sequence[Row],
) -> tuple[list[str], list[list[str]], list[tuple[str, str]]]:
    """Header and cells as short text, and the notes that their bracketed numbers lead to."""
    notes: dict[str, str] = {}

    def mark(*texts: str) -> str:
        numbers = [notes.setdefault(text, str(len(notes) + 1)) for text in texts]
        return f"[{', '.join(numbers)}]"

    several = len({row.runs for row in rows}) > 1
    systems = len({row.system for row in rows if row.system}) > 1
    named = ["beside"] if systems else []
    header = ["data set", "task", "metric", "ours", *named, "published", "difference"]
    body = []
    for row in rows:
        ours = f"{_ours(row)} {mark(row.definition, _about_ours(row))}"
        published = ""
        if row.published is not None:
            marks = mark(row.published_definition, _about_published(row))
            published = f"{as_printed(row.published)} {marks}"
        difference = row.reason if row.difference is None else _signed(row.difference)
        if row.beside:
            difference += f", {row.beside} {mark(_interval_of(row))}"
        lead = [f"{row.model} ({row.runs[0]})" if row.model else row.runs[0]] if several else []
        beside = [row.system] if systems else []
        body.append(
            [*lead, row.dataset, row.task, row.metric, ours, *beside, published, difference]
        )
    told = [(f"[{number}]", text) for text, number in notes.items()]
    return (["run", *header] if several else header), body, told


FORMATS: dict[str, Callable[[Sequence[Row]], str]] = {
    "table": to_tsv,
    "md": to_markdown,
    "latex": to_latex,
    "csv": to_csv,
    "json": to_json,
}


def _about_ours(row: Row) -> str:
    if len(row.runs) == 1:
        return f"Ours: {row.protocol}"
    seeds = ", ".join("?" if seed is None else str(seed) for seed in row.seeds)
    over = f"mean ± standard deviation over {len(row.runs)} runs (seeds {seeds})"
    return f"Ours: {row.protocol}; {over}"


def _about_published(row: Row) -> str:
    return f"{row.source}: {row.published_protocol}. {row.remarks}".strip()


def _interval_of(row: Row) -> str:
    assert row.interval is not None
    assert row.published is not None
    return about_interval(row.published, row.interval, len(row.runs))


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def _ours(row: Row) -> str:
    if row.ours is None:
        return "undefined"
    if row.deviation is None:
        return f"{row.ours:.4f}"
    return f"{row.ours:.4f} ± {row.deviation:.4f} ({len(row.runs)})"


def latex_text(text: str) -> str:
    """Text with the characters that LaTeX takes for commands escaped."""
    return "".join(_LATEX.get(character, character) for character in text)
