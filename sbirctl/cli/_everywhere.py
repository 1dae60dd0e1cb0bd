"""Options that every command takes, behind its name too; some only where they mean something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from sbirctl.cli import _console, _output, _verbose
from sbirctl.core.errors import UsageError

# What a command returns says which of the others it takes (its annotation).
_OF_TABLES = ("wide", "digits")
_OF_PATHS = ("print0",)


def add_shared_options(program: Any) -> None:
    """Give every command `--quiet`, `--json`, `--plugin` …, and let it print what it returns.

    Commands that return a `Listing` also take how tables look, those that return `Made` how paths
    end.
    """
    made = typer.Typer(add_completion=False)
    made.command()(_shared)
    options = {option.name: option for option in typer.main.get_command(made).params}
    _add(program, "", options)


def _add(group: Any, words: str, options: dict[str, Any]) -> None:
    for name, command in group.commands.items():
        own = f"{words} {name}".strip()
        if command.callback is not None:
            command.params += [options[name] for name in names_of(command.callback)]
            command.callback = _output.shown(command.callback, own)
        if hasattr(command, "commands"):
            _add(command, own, options)


def names_of(command: Callable[..., Any]) -> list[str]:
    """The shared options that a command takes, by what it returns."""
    returned = str(command.__annotations__.get("return", ""))
    names = ["quiet", "verbose", "plugin", "json"]
    names += _OF_TABLES if "Listing" in returned else ()
    names += _OF_PATHS if "Made" in returned else ()
    return names


def _quiet(wanted: bool) -> None:
    if wanted:
        _console.set_quiet(True)


def _plugins(files: list[Path] | None) -> None:
    from sbirctl.pipeline.plugins import load_plugin

    for file in files or ():
        load_plugin(file)


def _loud(wanted: bool) -> None:
    if wanted:
        _verbose.start()


def _json(wanted: bool) -> None:
    if wanted:
        _output.set_json(True)


def _null(wanted: bool) -> None:
    if wanted:
        _output.set_null(True)


def _wide(wanted: bool) -> None:
    if wanted:
        _console.set_wide(True)


def _digits(number: int | None) -> None:
    if number is None:
        return
    if not 1 <= number <= 16:
        raise UsageError(f"--digits {number} is no number of digits.", "Give 1 to 16.")
    _console.set_digits(number)


def forget() -> None:
    """As if none of these options were given: before each command line."""
    _console.set_quiet(False)
    _console.set_wide(False)
    _console.set_digits(_console.DIGITS)
    _output.set_json(False)
    _output.set_null(False)


def _shared(
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Say only warnings and errors.",
            callback=_quiet,
            expose_value=False,
        ),
    ] = False,
    plugin: Annotated[
        list[Path] | None,
        typer.Option(
            "--plugin",
            metavar="FILE",
            help="A Python file with a model, data set, task, metric, engine or loss of your own, "
            "or a definition's TOML; may be repeated.",
            is_eager=True,
            callback=_plugins,
            expose_value=False,
        ),
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            help="Say which files are read and written, times and tracebacks.",
            callback=_loud,
            expose_value=False,
        ),
    ] = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print the result as one JSON object.",
            callback=_json,
            expose_value=False,
        ),
    ] = False,
    wide: Annotated[
        bool,
        typer.Option(
            "--wide",
            "-l",
            help="Show all columns of a table.",
            callback=_wide,
            expose_value=False,
        ),
    ] = False,
    digits: Annotated[
        int | None,
        typer.Option(
            "--digits",
            metavar="N",
            help="Digits of a figure behind the point. [default: 4]",
            callback=_digits,
            expose_value=False,
        ),
    ] = None,
    print0: Annotated[
        bool,
        typer.Option(
            "--print0",
            help="End each path with a NUL instead of a newline.",
            callback=_null,
            expose_value=False,
        ),
    ] = False,
) -> None:
    """Never called: its options are taken."""
