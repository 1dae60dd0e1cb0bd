"""Tables that fit a terminal: names and figures stay whole, columns give way."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from sbirctl.cli import _styles

_SIDES = 3  # of a column's cells: a blank on each side and the line between
_ALWAYS = 2  # columns that stay whatever they are
_TEXT = 24  # least width of a column of words that are folded
_WORDS = 30  # a longer text with blanks in it is words, which may be folded; names are not


def print_fitting(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Sequence[bool],
    title: str,
    least: Sequence[str],
    *,
    wide: bool,
) -> list[str]:
    """Print a table and name the columns that were left out.

    Args:
        header, rows: of equal length.
        numeric: which columns hold numbers.
        least: columns that are left out first, in this order; then the last ones.
        wide: leave out and fold nothing, however wide the terminal is.
    """
    from rich.table import Table
    from rich.text import Text

    room = shutil.get_terminal_size().columns
    widths = [_width(name, rows, i) for i, name in enumerate(header)]
    least_widths = [_least_width(rows, i, width) for i, width in enumerate(widths)]
    shown = list(range(len(header)))
    dropped = []
    order = [name for name in least if name in header]
    order += [name for name in reversed(header[_ALWAYS:]) if name not in order]
    for name in order:
        if _needed(shown, least_widths) <= room or wide:
            break
        shown.remove(list(header).index(name))
        dropped.append(name)
    table = Table(title=title or None, title_justify="left", header_style="heading")
    for i in shown:
        words = least_widths[i] < widths[i] and not wide
        table.add_column(
            header[i],
            justify="right" if numeric[i] else "left",
            no_wrap=not words,
            overflow="fold" if words else "crop",  # "ignore" leaves all on the left
            min_width=widths[i] if wide else least_widths[i],
        )
    for row in rows:
        table.add_row(*(Text(row[i]) for i in shown))
    whole = sum(widths[i] + _SIDES for i in shown) + 1
    beyond = wide or _needed(shown, least_widths) > room
    _styles.console(width=max(room, whole) if beyond else room).print(table, crop=False)
    return dropped


def _width(name: str, rows: Sequence[Sequence[str]], i: int) -> int:
    from rich.cells import cell_len

    return max([cell_len(name), *(cell_len(row[i]) for row in rows)])


def _least_width(rows: Sequence[Sequence[str]], i: int, width: int) -> int:
    """Of a column whose words are folded; names and figures stay whole."""
    words = width > _WORDS and any(" " in row[i] for row in rows)
    return min(width, _TEXT) if words else width


def _needed(shown: Sequence[int], least: Sequence[int]) -> int:
    """The least width of the table."""
    return sum(least[i] + _SIDES for i in shown) + 1
