"""Showing a photo in the file manager of the desktop that the server runs on.

Only the folder is opened, with the file marked where the file manager can do that; the file never
is. What is opened comes from the gallery, and no shell reads it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote_from_bytes

from sbirctl.galleries.server.http_errors import HttpError

_PATIENCE = 4.0  # seconds; one that still runs then has opened its window
_REPLY = 25.0  # seconds that D-Bus waits, longer: where both end at once, either may be first
_GONE = "This photo is not there any more."
_TOOLS = ("dbus-send", "xdg-open")


def is_there(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process has a desktop, and what opens its file manager."""
    if sys.platform in ("darwin", "win32"):
        return True
    screen = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return bool(screen) and any(map(shutil.which, _TOOLS))


def show(path: Path) -> None:
    """Open the folder of a file.

    Raises:
        HttpError: the file is not there, or no file manager could be started.
    """
    if not path.is_file():
        raise HttpError(410, _GONE, "Index again.")
    if not any(_works(command) for command in _commands(path)):
        raise HttpError(500, "No file manager could be started.", "Copy the path instead.")


def _commands(path: Path) -> list[list[str | Path]]:
    """Ways to do it, the best first."""
    if sys.platform == "darwin":
        return [["open", "-R", path]]
    if sys.platform == "win32":
        return [["explorer", f"/select,{path}"]]
    # The specification of freedesktop.org for file managers; commas would end an element.
    address = "file://" + quote_from_bytes(os.fsencode(path), safe="/")
    marked = [
        "dbus-send",
        "--session",
        "--print-reply",
        f"--reply-timeout={int(1000 * _REPLY)}",
        "--dest=org.freedesktop.FileManager1",
        "/org/freedesktop/FileManager1",
        "org.freedesktop.FileManager1.ShowItems",
        f"array:string:{address}",
        "string:",
    ]
    return [[*marked], ["xdg-open", path.parent]]


def _works(command: list[str | Path]) -> bool:
    quiet = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
    except OSError:
        return False
    try:
        status = process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        return True
    return status == 0 or sys.platform == "win32"  # Explorer ends with 1 whatever it did
