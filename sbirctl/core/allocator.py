"""Keeping freed memory instead of giving it back to the system after every tensor."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of glibc
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let glibc's malloc reuse large blocks; True where that could be set.

    By default every block above some megabytes is mapped anew and zeroed by the kernel, page by
    page: a quarter of the time of a training step on the processor. Held instead, the process
    keeps the memory of its largest step, which it needs again in the next one anyway. Other
    allocators (macOS, Windows, musl) are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _LARGEST))
