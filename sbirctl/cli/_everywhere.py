"""Options that every command takes, behind its name too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sbirctl.cli import _console
from sbirctl.cli._once import all_commands
from sbirctl.core.errors import UsageError


def add_shared_options(program: Any) -> None:
    """Give `--quiet` and `--plugin` to every command, `--wide`, `--digits` to those with tables."""
    made = typer.Typer(add_completion=False)
    made.command()(_shared)
    options = {option.name: option for option in typer.main.get_command(made).params}
    for command in all_commands(program):
        if command is program:
            continue
        names = ["quiet", "plugin"]
        if any(parameter.name == "json" for parameter in command.params):
            names += ["wide", "digits"]
        command.params += [options[name] for name in names]


def _quiet(wanted: bool) -> None:
    if wanted:
        _console.set_quiet(True)


def _plugins(files: list[Path] | None) -> None:
    from sbirctl.pipeline.plugins import load_plugin

    for file in files or ():
        load_plugin(file)


def _digits(number: int) -> None:
    if not 1 <= number <= 16:
        raise UsageError(f"--digits {number} is no number of digits.", "Give 1 to 16.")
    _console.set_digits(number)


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
    wide: Annotated[
        bool,
        typer.Option(
            "--wide",
            "-l",
            help="Show all columns of a table.",
            callback=_console.set_wide,
            expose_value=False,
        ),
    ] = False,
    digits: Annotated[
        int,
        typer.Option(
            "--digits",
            metavar="N",
            help="Digits of a figure behind the point.",
            callback=_digits,
            expose_value=False,
            show_default=True,
        ),
    ] = 4,
) -> None:
    """Never called: its options are taken."""
