"""Where to compute, in which number format, with which memory; torch is imported when asked."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sbirctl.core.distributed import local_world
from sbirctl.core.errors import SbirctlError, UsageError, nearest
from sbirctl.core.files import display_path, human_bytes

if TYPE_CHECKING:
    import torch

_SHORT = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of glibc
_LARGEST = 2**31 - 1
PRECISIONS = {**_SHORT, **{name: name for name in _SHORT.values()}}


def pick_device(wanted: str = "auto") -> torch.device:
    """The device of that name; "auto" is CUDA, else Apple's MPS, else the CPU.

    Args:
        wanted: auto, cpu, mps, cuda or cuda:<number>.

    Raises:
        UsageError: it is no device's name, or this machine has no such device.
    """
    import torch

    mps = torch.backends.mps.is_available()
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        known = ("auto", "cpu", "cuda", "mps")
        raise UsageError(f"There is no device {wanted!r}.", nearest(wanted, known)) from error
    here = {"cpu": 1, "mps": int(mps), "cuda": torch.cuda.device_count()}
    if (device.index or 0) >= here.get(device.type, 0):
        raise UsageError(
            f"This machine has no device {wanted!r} that torch {torch.__version__} can use.",
            "Use --device auto; `sbirctl env --devices` lists what there is.",
        )
    return device


def pick_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """The number format of the forward pass; "auto" is bfloat16 on a GPU that has it.

    Older GPUs (V100, T4) have float16 by name only: a training in it has to scale its loss.

    Weights and embeddings stay float32; this is what `torch.autocast` computes in.

    Raises:
        UsageError: it is no format's name.
    """
    import torch

    if wanted == "auto":
        native = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if native else torch.float32
    if wanted not in PRECISIONS:
        raise UsageError(f"There is no number format {wanted!r}.", nearest(wanted, PRECISIONS))
    chosen: torch.dtype = getattr(torch, PRECISIONS[wanted])
    return chosen


def slow_precision(dtype: torch.dtype, device: torch.device) -> str:
    """A sentence where the device computes in this format only by way of float32, else "".

    torch's own checks of the processor are asked where this version has them; half precision
    (float16) is a format of GPUs.
    """
    import torch

    on_x86 = platform.machine() in ("x86_64", "AMD64")  # of others nothing is known here
    if device.type != "cpu" or dtype == torch.float32 or not on_x86:
        return ""
    short = next(key for key, name in _SHORT.items() if name == str(dtype).removeprefix("torch."))
    asked = ["_is_amx_fp16_supported"]
    if dtype == torch.bfloat16:
        asked = ["_is_avx512_bf16_supported", "_is_amx_tile_supported"]
    known = [getattr(torch.cpu, name)() for name in asked if hasattr(torch.cpu, name)]
    if any(known) or not known:
        return ""
    return (
        f"precision={short} is slower than fp32 on this processor, which has no instructions for it"
    )


def auto_workers(device: torch.device) -> int:
    """Reading threads for a device: one where the processor computes too, else up to four."""
    if device.type == "cpu":
        return 1
    return max(1, min(4, (os.cpu_count() or 2) // 2 // local_world()))


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
