"""`--verbose`: which files are read and written, how long it took, and tracebacks of errors."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import sbirctl
from sbirctl.cli import _console

_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

_on = False
_hooked = False
_began = 0.0
_said: set[tuple[str, str]] = set()


def is_on() -> bool:
    """Whether it was asked for."""
    return _on


def start() -> None:
    """Tell of files from now on; once is enough."""
    global _on, _hooked, _began
    if _on:
        return
    _on, _began = True, time.monotonic()
    _said.clear()
    if not _hooked:
        sys.addaudithook(_listen)  # stays for the life of the process
        _hooked = True


def stop() -> None:
    """Say how long it took, and be silent again."""
    global _on
    if not _on:
        return
    _on = False
    _console.tell(
        f"[{time.monotonic() - _began:8.3f} s] done: {time.process_time():.2f} s of processor time "
        f"with the start{_memory()}"
    )


def _memory() -> str:
    from sbirctl.core.device import largest_memory
    from sbirctl.core.files import human_bytes

    most = largest_memory()
    return "" if most is None else f", at most {human_bytes(most)} of memory"


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook of Python: sees every file that is opened or renamed."""
    if not _on:
        return
    if event == "open":
        path, mode, flags = arguments
        writes = bool(flags & _WRITING) if mode is None else any(c in mode for c in "wax+")
        _tell("write" if writes else "read", path)
    elif event == "os.rename":
        _tell("write", arguments[1])
    elif event == "sqlite3.connect":
        _tell("read", arguments[0])


def _tell(verb: str, path: object) -> None:
    if not isinstance(path, str | bytes | os.PathLike):
        return
    name = os.fsdecode(path)
    if name in ("", ":memory:") or (verb, name) in _said or _is_own(name):
        return
    _said.add((verb, name))
    from sbirctl.core.files import display_path

    _console.tell(f"[{time.monotonic() - _began:8.3f} s] {verb} {display_path(name)}")


def _is_own(name: str) -> bool:
    """Of Python, of the system or of this program: no file a person asked about."""
    places = (sys.prefix, sys.base_prefix, str(Path(sbirctl.__file__).parent))
    inside = os.path.abspath(name)
    return (
        inside.startswith(tuple(f"{place}{os.sep}" for place in places))
        or inside.startswith(_SYSTEM)
        or os.path.isdir(inside)
        or os.path.basename(inside).startswith(".")  # locks, and files that are renamed when whole
    )
