"""Builds the command line from the files of this package.

A file that does not start with an underscore is a command of that name. It holds either a function
`command` or, for a group, a Typer object `app`; `panel` is its heading in `--help`, `order` its
place there. Files are imported to build the help, so they import nothing heavy at the top.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from difflib import get_close_matches
from types import ModuleType
from typing import Annotated, Any

import typer

import sbirctl.cli
from sbirctl import __version__
from sbirctl.cli import _console, _endings, _streams, _styles, _verbose
from sbirctl.cli._everywhere import add_shared_options, forget
from sbirctl.cli._once import refuse_repeated
from sbirctl.cli._optional_values import allow_missing_values
from sbirctl.cli._renamed import accept_earlier_names
from sbirctl.core import distributed

PANELS = ("Pipeline", "Your own photos", "Pictures and tables", "What there is")


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code, after printing any error in two lines."""
    _streams.prepare()
    forget()
    if not distributed.is_first():  # of many processes one prints
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    try:
        if not arguments or {"-h", "--help"} & {*arguments}:
            _styles.dress_help()
        code = build(_command_of(arguments))(arguments, prog_name="sbirctl", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BaseException as error:
        return _endings.end(error, verbose=_verbose.is_on())
    finally:
        _verbose.stop()


def build(only: str = "") -> Any:
    """The click command of the whole program, with every command of this package below it.

    Args:
        only: the name of the one command that is needed, so that no time goes into the others.
    """
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Sketch-based image retrieval: given a drawing, find the photos of that thing.",
    )
    app.callback()(_options)
    for module in _modules(only):
        name = _command_name(module.__name__)
        panel = getattr(module, "panel", PANELS[-1])
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel)(module.command)
    program: Any = typer.main.get_command(app)
    add_shared_options(program)
    refuse_repeated(program)
    allow_missing_values(program)
    accept_earlier_names(program)
    program.invoke = _endings.keep_interruption(program.invoke)
    return program


def _command_of(arguments: list[str]) -> str:
    """The command that is called; "" where it is none, or help with all of them is asked for."""
    word = next((word for word in arguments if not word.startswith("-")), "")
    return word if word in map(_command_name, _names()) else ""


def _command_name(module: str) -> str:
    return module.rpartition(".")[2].replace("_", "-")


def _names() -> list[str]:
    found = pkgutil.iter_modules(sbirctl.cli.__path__, "sbirctl.cli.")
    return [one.name for one in found if not one.name.rpartition(".")[2].startswith("_")]


def _modules(only: str) -> list[ModuleType]:
    names = [name for name in _names() if not only or _command_name(name) == only]
    found = [importlib.import_module(name) for name in names]

    def place(module: ModuleType) -> tuple[int, int, str]:
        panel = getattr(module, "panel", PANELS[-1])
        return PANELS.index(panel), getattr(module, "order", 100), module.__name__

    return sorted(found, key=place)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sbirctl {__version__}")
        raise typer.Exit


def _options(
    _version_wanted: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and stop.", is_eager=True, callback=_version
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say only warnings and errors.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Say which files are read and written, times and tracebacks."
        ),
    ] = False,
) -> None:
    if quiet:
        _console.set_quiet(True)
    if verbose:
        _verbose.start()
    _say_misspelled_variables()


# The variables that are read; behind the one that ends in _ stands a setting of a model or task.
VARIABLES = ("SBIRCTL_HOME", "SBIRCTL_MIRROR", "SBIRCTL_SET_", "SBIRCTL_TOKEN")


def _say_misspelled_variables() -> None:
    for name in sorted(os.environ):
        if name.startswith(VARIABLES[2]) or name in VARIABLES or not name.startswith("SBIRCTL"):
            continue
        if near := get_close_matches(name, VARIABLES, 1, 0.8):
            _console.reporter().warn(f"The variable {name} is not read. Did you mean {near[0]}?")
