"""What a command returns: one value, shown to people and pipes as lines, to programs as JSON.

A command returns a `Listing`, `Made` or `Text` and never prints its result itself. The JSON is one
object: `schema` (the number of its form), `command` (the words typed) and the fields of the value.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from sbirctl.cli import _console
from sbirctl.core.errors import SbirctlError, UsageError

Columns = Mapping[str, "str | Callable[[Any], object]"]


@dataclass(frozen=True)
class Output:
    """The result of a command.

    Attributes:
        fields: what the JSON object holds: JSON values, and paths.
        schema: number of the object's form.
        failure: raised when all is printed, for results that are also a refusal (`--min`).
    """

    fields: Mapping[str, Any]
    schema: int = field(default=1, kw_only=True)
    failure: SbirctlError | None = field(default=None, kw_only=True)

    def show(self) -> None:
        """Print it on stdout for people, or as lines for a pipe."""
        raise TypeError(f"{type(self).__name__} is shown as JSON only")


@dataclass(frozen=True)
class Table:
    """One table of a listing; `least` as in `_console.print_table`."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""
    least: Sequence[str] = ()
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Listing(Output):
    """What is shown as one table or several."""

    tables: Sequence[Table] = ()

    def show(self) -> None:
        """See `Output.show`."""
        for table in self.tables:
            if table.before:
                print(table.before)
            _console.print_table(table.header, table.rows, title=table.title, least=table.least)
            if table.after:
                print(table.after)


@dataclass(frozen=True)
class Made(Output):
    """Files and folders that were made (or removed, or found): their paths, one a line."""

    paths: Sequence[Path] = ()

    def show(self) -> None:
        """See `Output.show`."""
        for path in self.paths:
            _console.print_path(path, null=_null)


@dataclass(frozen=True)
class Text(Output):
    """What is shown as a text: a list of classes, a page in Markdown."""

    text: str = ""

    def show(self) -> None:
        """See `Output.show`."""
        print(self.text, end="")


def listing(
    rows: Sequence[Any],
    columns: Sequence[str] | Columns,
    *,
    least: Sequence[str] = (),
    title: str = "",
    **fields: object,
) -> Listing:
    """A list of objects: `rows` of the JSON, and a table of some of their values.

    Args:
        rows: one object each, with JSON values and paths.
        columns: keys to show, or {header: key, or what makes the cell of a row}.
        least, title: as in `_console.print_table`.
        fields: more fields of the JSON object.
    """
    chosen = columns if isinstance(columns, Mapping) else {key: key for key in columns}
    cells = [[_value(row, how) for how in chosen.values()] for row in rows]
    table = Table(tuple(chosen), cells, title, least)
    return Listing({**fields, "rows": list(rows)}, (table,))


def made(path: Path, **fields: object) -> Made:
    """One thing made: `path` of the JSON, and the line on stdout."""
    return Made({"path": path, **fields}, (path,))


def made_all(paths: Sequence[Path], **fields: object) -> Made:
    """Several things made or removed: `paths` of the JSON, and a line each."""
    return Made({"paths": list(paths), **fields}, paths)


_json = False
_null = False


def set_json(wanted: bool) -> None:
    """Whether results are printed as JSON."""
    global _json
    _json = wanted


def set_null(wanted: bool) -> None:
    """Whether paths end with a NUL."""
    global _null
    _null = wanted


def as_json() -> bool:
    """Whether the result will be printed as JSON."""
    return _json


def shown(command: Callable[..., Any], words: str) -> Callable[..., Any]:
    """A command that prints what it returns."""

    @wraps(command)
    def called(*args: object, **kwargs: object) -> None:
        if _json and _null:
            raise UsageError("--json prints no lines for --print0 to end.", "Leave one out.")
        output = command(*args, **kwargs)
        if output is not None:
            show(output, words)

    return called


def show(output: Output, command: str) -> None:
    """Print a result as was asked for.

    Args:
        output: the result.
        command: the words of the command, as `runs list`.

    Raises:
        SbirctlError: the result's `failure`.
    """
    if _json:
        about = {"schema": output.schema, "command": command}
        _console.print_json(about | {k: v for k, v in output.fields.items() if k != "schema"})
    else:
        output.show()
        sys.stdout.flush()  # `serve` goes on, and its reader waits for the address
    if output.failure is not None:
        raise output.failure


def _value(row: Any, how: str | Callable[[Any], object]) -> object:
    return how(row) if callable(how) else row[how]
