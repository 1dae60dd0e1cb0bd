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
from types import ModuleType
from typing import Annotated, Any

import typer

import sbirctl.cli
from sbirctl import __version__
from sbirctl.cli import _console
from sbirctl.cli._once import refuse_repeated
from sbirctl.core import distributed
from sbirctl.core.errors import MissingError, SbirctlError, UsageError

PANELS = ("Pipeline", "Your own photos", "Pictures and tables", "What there is")
# Typer ships its own click and exports only the leaves of its errors; this is their root.
_CLICK_ERROR: type[Exception] = typer.BadParameter.__mro__[2]
_debug = False


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code, after printing any error in two lines."""
    if not distributed.is_first():  # of many processes one prints
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    try:
        code = build()(arguments, prog_name="sbirctl", standalone_mode=False)
        return _flush(code if isinstance(code, int) else 0)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            return _pipe_closed()
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except typer.Abort:
        return 130
    except _CLICK_ERROR as error:
        return _wrong_word(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _pipe_closed()
    except SbirctlError as error:
        if _debug:
            raise
        if not error.said:
            _console.error(error)
        return error.exit_code
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if _debug or package in ("", "sbirctl"):
            raise
        _console.error(
            MissingError(
                f"This command needs the Python package {package}, which is not installed.",
                "Type `pip install sbirctl`; it brings what sbirctl-core leaves out.",
            )
        )
        return MissingError.exit_code
    except Exception as error:
        if _debug:
            raise
        _console.error(
            SbirctlError(
                f"This should not happen: {type(error).__name__}: {error}",
                "Run it again as `sbirctl --debug …` and report what it prints.",
            )
        )
        return 1


def build() -> Any:
    """The click command of the whole program, with every command of this package below it."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Sketch-based image retrieval: given a drawing, find the photos of that thing.",
    )
    app.callback()(_options)
    for module in _modules():
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        panel = getattr(module, "panel", PANELS[-1])
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel)(module.command)
    program = typer.main.get_command(app)
    refuse_repeated(program)
    return program


def _modules() -> list[ModuleType]:
    found = [
        importlib.import_module(f"sbirctl.cli.{module.name}")
        for module in pkgutil.iter_modules(sbirctl.cli.__path__)
        if not module.name.startswith("_")
    ]

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
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say only warnings and errors on stderr.")
    ] = False,
) -> None:
    global _debug
    _debug = debug
    _console.set_quiet(quiet)


def _wrong_word(error: Any) -> int:
    """A usage error of Typer's own click, in our two lines."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return 2
    where = error.ctx.command_path if getattr(error, "ctx", None) else "sbirctl"
    _console.error(UsageError(error.format_message(), f"See `{where} --help`."))
    return 2


def _flush(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _pipe_closed()
    return code


def _pipe_closed() -> int:
    """The reader of our output went away (`| head`): end quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141
