"""How a command ends: what is said of an error, and the exit status."""

from __future__ import annotations

import errno
import re
import traceback
from collections.abc import Callable
from typing import Any

import typer

from sbirctl.cli import _console, _streams
from sbirctl.core.errors import MissingError, SbirctlError, UsageError, few, interruption
from sbirctl.core.files import display_path

INTERRUPTED = 130
PIPE_CLOSED = 141
# Typer ships its own click and exports only the leaves of its errors; this is their root.
_CLICK_ERROR: type[Exception] = typer.BadParameter.__mro__[2]
_HINTS = {
    errno.ENOSPC: "Free some space.",
    errno.EDQUOT: "Free some space, or ask for a larger quota.",
    errno.EFBIG: "Raise `ulimit -f`, or choose a disk that takes large files.",
    errno.EMFILE: "Raise the limit of open files: `ulimit -n 1024`.",
    errno.ENFILE: "Close other programs: the system has too many open files.",
    errno.ENAMETOOLONG: "Choose a shorter path.",
    errno.EACCES: "Check the permissions.",
    errno.EPERM: "Check the permissions.",
    errno.EROFS: "Choose a disk that can be written.",
}


_NO_MEMORY = (
    "allocate memory",  # torch, the C library
    "out of memory",  # CUDA, MPS
    "bad_alloc",
    "bad allocation",
)


class Interrupted(BaseException):
    """Ctrl-C on its way through Typer, which would make a bare exit status of it."""


def keep_interruption(invoke: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`invoke` of a click command, with `Interrupted` instead of `KeyboardInterrupt`."""

    def invoked(context: Any) -> Any:
        try:
            return invoke(context)
        except BaseException as error:
            stop = interruption(error)
            if stop is None:
                raise
            raise Interrupted from stop

    return invoked


def end(error: BaseException, *, verbose: bool) -> int:
    """Say an error in two lines and give the exit status.

    Args:
        error: what ended the command.
        verbose: print its traceback before.
    """
    if isinstance(error, SystemExit):
        return _exited(error)
    if isinstance(error, typer.Abort | Interrupted | KeyboardInterrupt):
        return _interrupted(error)
    if isinstance(error, _CLICK_ERROR):
        return _wrong_word(error)
    if isinstance(error, BrokenPipeError):
        return pipe_closed()
    problem = _problem(error)
    if verbose:
        traceback.print_exception(error)
    if not problem.said:
        _console.error(problem)
    if isinstance(error, OSError):
        _streams.drop_stdout()  # it may be what is full; the interpreter would try it again
    return problem.exit_code


def pipe_closed() -> int:
    """The reader of our output went away (`| head`): end quietly."""
    _streams.drop_stdout()
    return PIPE_CLOSED


def _problem(error: BaseException) -> SbirctlError:
    """An error as one a person can act on."""
    if isinstance(error, SbirctlError):
        return error
    if isinstance(error, OSError) and error.errno is not None:
        return _of_the_system(error)
    if isinstance(error, MemoryError) or _is_shortage_of_memory(error):
        said = str(error).partition("\n")[0].rstrip(".")
        return SbirctlError(
            f"There is not enough memory{f': {said}' if said else ''}.",
            "Close other programs, or take smaller batches or fewer --workers.",
        )
    package = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
    if package.partition(".")[0] not in ("", "sbirctl"):
        return MissingError(
            f"This command needs the Python package {package.partition('.')[0]}, which is not "
            "installed.",
            "Type `pip install sbirctl`; it brings what sbirctl-core leaves out.",
        )
    return SbirctlError(
        f"This should not happen: {type(error).__name__}: {error}",
        "Run it again as `sbirctl -v …` and report what it prints.",
    )


def _is_shortage_of_memory(error: BaseException) -> bool:
    """Whether a library tells it in words alone, as torch and ONNX Runtime do."""
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _NO_MEMORY)


def _of_the_system(error: OSError) -> SbirctlError:
    """What the system refused; without a file name it is the output that could not be written."""
    number, reason = error.errno or 0, error.strerror or str(error)
    hint = _HINTS.get(number, "Check the disk; `sbirctl -v …` shows where it happened.")
    if error.filename is None:
        return SbirctlError(f"The system refused to read or write: {reason}.", hint)
    kind = MissingError if isinstance(error, FileNotFoundError) else SbirctlError
    return kind(f"{display_path(str(error.filename))}: {reason}.", hint)


def _exited(error: SystemExit) -> int:
    if isinstance(error.__context__, BrokenPipeError):
        return pipe_closed()
    return error.code if isinstance(error.code, int) else int(error.code is not None)


def _interrupted(error: BaseException) -> int:
    """Ctrl-C, as it came or wrapped; `core.progress.going_on` says where."""
    stop = error if isinstance(error, KeyboardInterrupt) else error.__cause__
    said = stop.args if isinstance(stop, KeyboardInterrupt) and len(stop.args) == 2 else ()
    _console.stopped(*said)
    return INTERRUPTED


def _wrong_word(error: Any) -> int:
    """A usage error of Typer's own click, in our two lines."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return 2
    where = error.ctx.command_path if getattr(error, "ctx", None) else "sbirctl"
    hint = f"{_known(error) or _commands(error)}See `{where} --help`."
    _console.error(UsageError(_of_numbers(error.format_message()), hint))
    return 2


_NUMBERS = {
    r"Input should be a valid integer.*": "it takes a whole number",
    r"Input should be a valid number.*": "it takes a number",
    r"Input should be greater than or equal to (\S+)": r"it takes \1 or more",
    r"Input should be less than or equal to (\S+)": r"it takes \1 or less",
    r"Input should be (greater|less) than (\S+)": r"it takes \1 than \2",
}


def _of_numbers(message: str) -> str:
    """What Typer says of numbers, in the words of our own messages."""
    for theirs, ours in _NUMBERS.items():
        message = re.sub(f"{theirs}$", f"{ours}.", message)
    return message


def _known(error: Any) -> str:
    """The names that a missing argument may have, as the completion knows them."""
    if type(error).__name__ != "MissingParameter" or error.param is None:
        return ""
    names = [item.value for item in error.param.shell_complete(error.ctx, "") if item.value]
    return f"Known: {few(names, 5)}. " if names else ""


# What other programs call a command of ours.
_CALLED = {"remove": "rm", "delete": "rm", "del": "rm", "unlink": "rm"}
_LISTS = ("list", "ls")


def _commands(error: Any) -> str:
    """What a group has in place of a command it lacks, where Typer names none."""
    found = re.fullmatch(r"No such command '(.*)'\.", error.format_message())
    names = getattr(getattr(error.ctx, "command", None), "commands", {}) if found else {}
    if not found or error.ctx.parent is None or not names:
        return ""
    if _CALLED.get(found[1]) in names:
        return f"Did you mean '{_CALLED[found[1]]}'? "
    if found[1] in _LISTS and error.ctx.command.invoke_without_command:
        return f"`{error.ctx.command_path}` alone lists them. "
    return f"Known: {', '.join(names)}. "
