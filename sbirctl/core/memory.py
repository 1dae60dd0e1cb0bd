"""How much memory there is, so that what cannot fit is refused before it is read."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import display_path, human_bytes


def available_memory() -> int | None:
    """Bytes this process could still take without swapping; None where the system does not say."""
    found = [limit for limit in (_system(), _address_space()) if limit is not None]
    return min(found, default=None)


def largest_memory() -> int | None:
    """The most bytes this process has held at once; None where the system does not say."""
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def check_fits(path: Path, size: int) -> None:
    """Refuse a file whose arrays the memory cannot hold.

    Args:
        size: bytes that the arrays say they have.

    Raises:
        SbirctlError: there are fewer.
    """
    room = available_memory()
    if room is not None and size > room:
        raise SbirctlError(
            f"{display_path(path)} declares arrays of {human_bytes(size)}; "
            f"{human_bytes(room)} of memory are free.",
            "Use a machine with more memory, or write the file again if it should be smaller.",
        )


def _system() -> int | None:
    try:
        line = re.search(
            r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text("ascii"), re.M
        )
        if line is not None:
            return int(line[1]) * 1024
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")  # macOS: of the machine
    except (OSError, ValueError, AttributeError):
        return None


def _address_space() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit
