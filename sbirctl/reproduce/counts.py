"""A table of the data sets' counts, from what is prepared here, beside the paper's."""

from __future__ import annotations

from sbirctl.pipeline.datasets_table import ITEMS, drclip_table
from sbirctl.reproduce.exhibits import Exhibit, ReproducedPaper
from sbirctl.reproduce.measured import Line, TableCell, TableResult

_WORDS = {"training": "Training classes", "testing": "Testing classes"}


def counts_table(exhibit: Exhibit, paper: ReproducedPaper) -> TableResult:
    """Dr. CLIP's Table 1 in its layout: a row a quantity, a column a data set of a task."""
    columns = drclip_table()
    lines = [
        Line(
            (_WORDS.get(item, item.capitalize()),),
            True,
            tuple(
                TableCell(column.published[number], column.prepared[number], reason=column.note)
                for column in columns
            ),
        )
        for number, item in enumerate(ITEMS)
    ]
    groups: list[tuple[str, int]] = []
    for column in columns:
        label = f"ZS-{column.task.upper()}SBIR" if column.task != "gzs" else "GZS-SBIR"
        count = groups.pop()[1] if groups and groups[-1][0] == label else 0
        groups.append((label, count + 1))
    return TableResult(
        exhibit.id,
        exhibit.title,
        f"{paper.card.paper.authors.split(',')[0]} et al. {paper.card.paper.year}, Table 1",
        "counts",
        ("Items",),
        tuple(groups),
        tuple(column.title for column in columns),
        tuple("" for _ in columns),
        tuple(lines),
        whole=True,
    )
