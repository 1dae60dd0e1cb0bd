"""Standard streams as they may be given: closed, full, or in an encoding that lacks letters."""

from __future__ import annotations

import os
import sys
from typing import Any


def prepare() -> None:
    """Make stdin, stdout and stderr usable.

    A closed one is opened on the null device: else the next file that is opened would have its
    number. A letter that an encoding lacks is written as an escape.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _fill(number)
            setattr(sys, name, open(os.devnull, "w" if number else "r"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def drop_stdout() -> None:
    """Let what is still to be written to stdout vanish."""
    _to_null(sys.stdout)


def drop_stderr() -> None:
    """Let what is still to be written to stderr vanish."""
    _to_null(sys.stderr)


def _to_null(stream: Any) -> None:
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # no file, as in tests
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)


def _fill(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
