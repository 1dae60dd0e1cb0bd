"""Makes of pages and docstrings what Sphinx reads.

A formula is an indented block after a line that ends with a colon; it is shown as it stands. A link
to a page outside this folder becomes a link to a copy of the file, without its anchor.
"""

from __future__ import annotations

import re
from typing import Any

FOLDERS = r"\.\./(?:\.\./)*(?:benchmarks|sbirctl)/"
OUTSIDE = re.compile(rf"\[([^\]]+)\]\(({FOLDERS}[^)#]+\.md)(?:#[^)]*)?\)")


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", link_outside)
    app.connect("autodoc-process-docstring", show_formulas, priority=400)  # before napoleon
    return {"parallel_read_safe": True}


def link_outside(_app: Any, _page: str, source: list[str]) -> None:
    """`[text](../benchmarks/notes.md)` as a download; `source` is changed in place."""
    source[0] = OUTSIDE.sub(r"{download}`\1 <\2>`", source[0])


def show_formulas(
    _app: Any, _what: str, _name: str, _thing: Any, _options: Any, lines: list[str]
) -> None:
    """Formulas as literal blocks; `|` and `@` are no markup; `lines` are changed in place."""
    formula = None  # how deep the line before a formula stands
    for i, line in enumerate(lines):
        if formula is not None and line.strip() and _depth(line) <= formula:
            formula = None
        if formula is None:
            lines[i] = "".join(
                part if part.startswith("`") else re.sub(r"([|@])", r"\\\1", part)
                for part in re.split(r"(`[^`]*`)", line)
            )
            if line.rstrip().endswith(":") and _followed_by_block(lines, i):
                formula = _depth(line)
                lines[i] = lines[i].rstrip() + ":"


def _followed_by_block(lines: list[str], i: int) -> bool:
    return (
        i + 2 < len(lines) and not lines[i + 1].strip() and _depth(lines[i + 2]) > _depth(lines[i])
    )


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
