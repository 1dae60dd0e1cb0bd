"""A retrieval sheet as tab-separated values, a line a photo."""

from __future__ import annotations

from pathlib import Path

from sbirctl.core.files import atomic_open
from sbirctl.report.sheet import Sheet

COLUMNS = (
    "run", "query", "query path", "query class", "average precision",
    "rank", "score", "right", "own photo", "row", "path", "class",
)  # fmt: skip


def write_table(sheet: Sheet, path: Path) -> None:
    """Write what a sheet shows; names are printable, so no cell holds a tab or a newline."""
    with atomic_open(path, "w") as stream:
        print(*COLUMNS, sep="\t", file=stream)
        for asked in sheet.queries:
            for answer in asked.answers:
                value = "" if answer.precision is None else repr(answer.precision)
                start = (sheet.runs[answer.run], asked.row, asked.name, asked.class_name, value)
                for hit in answer.hits:
                    found = (hit.rank, f"{hit.score:.6f}", int(hit.right), int(hit.own))
                    print(*start, *found, hit.row, hit.name, hit.class_name, sep="\t", file=stream)
