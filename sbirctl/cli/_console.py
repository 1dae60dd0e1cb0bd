"""Talking to people (stderr) and to programs (stdout), and the options many commands share."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from typer.models import ArgumentInfo

from sbirctl.cli import _names, _streams, _styles
from sbirctl.core import distributed
from sbirctl.core.errors import MissingError, SbirctlError, UsageError
from sbirctl.core.files import display_path
from sbirctl.core.progress import Pace, Reporter

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting; may be repeated.",
        autocompletion=_names.settings,
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Read settings from a TOML file, such as a run's config.toml.",
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        help="Where to compute: auto, cpu, cuda, cuda:1 or mps.",
        show_default=True,
        autocompletion=_names.devices,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", min=0, help="Threads that read images. [default: as suits the device]"
    ),
]
WeightsOption = Annotated[
    str,
    typer.Option(
        "--weights",
        help="Starting weights: pretrained, none (random values), a name (`sbirctl weights`) or a "
        "file; of a run, its file.",
        autocompletion=_names.weights,
    ),
]
TargetOption = Annotated[
    str,
    typer.Option(
        "--target",
        help="Data set to test on, for the task cd.",
        autocompletion=_names.prepared,
    ),
]
SplitOption = Annotated[
    str,
    typer.Option(
        "--split",
        help="Which classes are unseen: a list of `sbirctl splits`, or a file. [default:"
        " the task's]",
        autocompletion=_names.splits,
    ),
]
SeedOption = Annotated[
    int, typer.Option("--seed", help="Seed of the random values of --weights none.")
]
PictureOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="File to write, .png, .svg or .pdf. [default: beside the embeddings]",
    ),
]
ColumnsOption = Annotated[
    int,
    typer.Option(
        "--columns", min=1, max=2, help="Width of the picture, in columns of a two-column paper."
    ),
]

LabelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        metavar="TEXT",
        help="What to call a run; may be repeated, once for each in their order. [default: what "
        "`runs label` says, or its name]",
        show_default=False,
    ),
]


def runs_argument(help_text: str) -> ArgumentInfo:
    """The argument of commands that read embeddings or runs: what they do with them."""
    return typer.Argument(
        metavar="FILE|RUN|-",
        autocompletion=_names.runs,
        help=f"{help_text} [default: the newest run]",
        show_default=False,
    )


_EVERY = 60.0  # seconds between two lines of a bar in a log
_NUMBER = re.compile(r"-?[\d,]+(\.\d+)?")
DIGITS = 4  # of a figure behind the point

_quiet = False
_wide = False
_digits = DIGITS


def set_quiet(quiet: bool) -> None:
    """Whether notes are kept back (warnings and errors never are)."""
    global _quiet
    _quiet = quiet


def set_wide(wide: bool) -> None:
    """Whether tables keep all columns, however wide the terminal is."""
    global _wide
    _wide = wide


def set_digits(digits: int) -> None:
    """Digits of a figure behind the point in tables."""
    global _digits
    _digits = digits


def error(problem: SbirctlError) -> None:
    """An error in two lines on stderr: what happened, and what to type next."""
    _say(f"error: {problem.message}", "error")
    if problem.hint:
        _say(f"  → {problem.hint}", "")


def tell(text: str) -> None:
    """A line on stderr, whether notes are kept back or not."""
    _say(text, "")


def stopped(
    message: str = "Stopped.", hint: str = "Type the same command to start it again."
) -> None:
    """That the command was interrupted, and how to go on."""
    _say(message, "")
    _say(f"  → {hint}", "")


def print_path(path: Path, *, null: bool = False) -> None:
    """The path of what was made: bytes as the file system has them, one a line."""
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(path) + (b"\0" if null else b"\n"))
    sys.stdout.flush()


def print_json(value: object) -> None:
    """One JSON value on stdout, paths as text; NaN is refused, since it is no JSON."""

    def written(ascii_only: bool) -> str:
        return json.dumps(
            value, ensure_ascii=ascii_only, indent=1, allow_nan=False, default=_path_text
        )

    text = written(False)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:  # JSON has escapes of its own
        text = written(True)
    print(text, flush=True)


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    least: Sequence[str] = (),
) -> None:
    """A table on a terminal, tab-separated values with a header line in a pipe.

    Args:
        least: columns that a narrow terminal can do without, the least needed first; which are
            left out is said on stderr. `--wide` keeps all.
    """
    if not sys.stdout.isatty():
        for row in [header, *rows]:
            print("\t".join(_cell(value) for value in row))
        return
    from sbirctl.cli._tables import print_fitting

    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [_all_numbers([row[i] for row in rows]) for i in range(len(header))]
    dropped = print_fitting(header, cells, numeric, title, () if _wide else least, wide=_wide)
    if dropped:
        _say(f"Left out for want of room: {', '.join(dropped)}. --wide shows all.", "")


def _all_numbers(values: Sequence[object]) -> bool:
    """Whether a column holds numbers and perhaps gaps, and nothing else."""
    there = [value for value in values if value not in ("", None)]
    return bool(there) and all(
        (isinstance(value, int | float) and not isinstance(value, bool))
        or (isinstance(value, str) and _NUMBER.fullmatch(value))
        for value in there
    )


def input_path(text: str) -> Path:
    """A path argument; `-` reads one path (the last line) from stdin.

    Raises:
        MissingError: stdin was empty (the command before in the pipe failed).
        UsageError: the argument is empty (a shell variable that is not set), or several processes
            would have to read one stdin.
    """
    if not text:
        raise UsageError("An empty path was given.", "Is a shell variable not set?")
    if text != "-":
        return Path(text).expanduser()
    return _from_stdin()[-1]


def several_inputs(texts: Sequence[str]) -> list[str]:
    """Names of runs, models or paths; one `-` stands for every line of stdin, which is told.

    Raises:
        MissingError: stdin was empty.
        UsageError: a name is empty, or `-` is there twice.
    """
    if texts.count("-") > 1:
        raise UsageError("- is named twice, and there is one stdin.", "Name it once.")
    found = []
    for text in texts:
        if text == "-":
            lines = [str(path) for path in _from_stdin()]
            if len(lines) > 1:
                tell(f"from stdin: {', '.join(map(display_path, lines))}")
            found += lines
        else:
            input_path(text)  # refuses an empty one
            found.append(text)
    return found


def _from_stdin() -> list[Path]:
    if distributed.world() > 1:
        raise UsageError("Several processes cannot read one stdin.", "Name the run instead of -.")
    data = sys.stdin.buffer.read()
    separator = b"\0" if b"\0" in data else b"\n"
    lines = [line for line in data.split(separator) if line.strip()]
    if not lines:
        raise MissingError(
            "stdin gave no path.", "Did the command before this one in the pipe fail?"
        )
    return [Path(os.fsdecode(line.strip(b"\r\n"))) for line in lines]


class TerminalReporter(Reporter):
    """Notes, warnings and progress bars on stderr; lines where no bar can be drawn."""

    def note(self, message: str) -> None:
        if not _quiet:
            _say(message, "")

    def warn(self, message: str) -> None:
        _say(f"warning: {message}", "warning")

    @contextmanager
    def bar(self, label: str, total: int | None = None, done: int = 0) -> Iterator[Callable]:
        if _quiet:
            with super().bar(label, total, done) as advance:
                yield advance
            return
        if not _draws():
            yield _minutes(label, total, done)
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=_styles.console(stderr=True), transient=True) as progress:
            task = progress.add_task(label, total=total, completed=done, rate="")

            def advance(steps: int = 1) -> None:
                progress.advance(task, steps)
                speed = progress.tasks[0].speed
                progress.update(task, rate=f"{speed:.1f}/s" if speed else "")

            yield advance


def _minutes(label: str, total: int | None, done: int) -> Callable:
    """The bar of a log: a line a minute, with the rate and what is left."""
    pace = Pace(label, total, done)
    told = time.monotonic()

    def advance(steps: int = 1) -> None:
        nonlocal told
        pace.advance(steps)
        if time.monotonic() - told >= _EVERY:
            told = time.monotonic()
            _say(str(pace), "")

    return advance


def _draws() -> bool:
    """Whether stderr is a terminal whose last line can be drawn again.

    A notebook gives `!sbirctl …` a terminal, but shows each state of a bar below the last.
    """
    in_notebook = "JPY_PARENT_PID" in os.environ  # set by every kernel, for what it starts
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not in_notebook


def can_ask() -> bool:
    """Whether somebody reads the result and can answer."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def reporter() -> Reporter:
    """The reporter for this terminal."""
    return TerminalReporter()


def _say(text: str, style: str) -> None:
    """A line on stderr; where nobody can read it (full, closed), the work goes on."""
    try:
        if style and sys.stderr.isatty():
            from rich.text import Text

            _styles.console(stderr=True).print(Text(text, style=style), soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)
    except OSError:
        _streams.drop_stderr()


def _path_text(value: object) -> str:
    if isinstance(value, Path):
        return display_path(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.{_digits}f}"
    return str(value).replace("\t", " ").replace("\n", " ")
