"""What follows from the program's code alone, kept from one call to the next."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import sbirctl
from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import digest_json, read_json, write_json
from sbirctl.core.home import home

_NETWORKS = ("torch", "timm", "open_clip_torch")  # what settings and sizes also come from


@cache
def code_digest() -> str:
    """Changes with any file of this program, by size and time, and with the networks' versions."""
    root = Path(sbirctl.__file__).parent
    return digest_json([sbirctl.__version__, *file_states(root), *map(version_of, _NETWORKS)])


def file_states(folder: Path) -> list[tuple[str, int, int]]:
    """Path, bytes and time (ns) of all files below a folder, sorted; compiled ones are left out.

    A folder that is not there has none.
    """
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            file = os.path.join(place, name)
            with suppress(FileNotFoundError):  # a temporary one of another process
                state = os.stat(file)
                found.append((os.path.relpath(file, folder), state.st_size, state.st_mtime_ns))
    return sorted(found)


def kept(name: str, make: Callable[[], object]) -> Any:
    """What `make` gives, as JSON gives it back; made again where the program has changed.

    Args:
        name: of the file in `<home>/kept`, for this thing alone.
        make: gives plain values that depend on the program's code and nothing else.
    """
    place = home() / "kept" / code_digest()[:16]
    if (place / f"{name}.json").is_file():
        with suppress(SbirctlError, OSError):  # damaged: made again
            return read_json(place / f"{name}.json")
    value = json.loads(json.dumps(make()))
    with suppress(SbirctlError, OSError):  # a home that cannot be written: made again next time
        for old in place.parent.glob("*"):
            if old != place:
                shutil.rmtree(old, ignore_errors=True)
        write_json(place / f"{name}.json", value)
    return value


def version_of(package: str) -> str:
    """The installed version of a package, "" where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
