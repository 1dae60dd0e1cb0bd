"""Decoding with a limit on time and memory that holds for any file: 30 s of processor and 1 GB.

JPEG of few scans, PNG, GIF, BMP and PPM keep to it by their number of pixels, which is looked at
first. The others can hold more than their header says, or are decoded by large libraries of their
own: they are decoded in another process, which is stopped at the limit.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar

import numpy as np

from sbirctl.core.bounded import BoundedProcesses, Bounds, CrashedError, OutOfBoundsError
from sbirctl.store.images import MAX_PIXELS, ImageError, ImageFault, is_cheap, load_image
from sbirctl.store.manifest import Modality

P = ParamSpec("P")
R = TypeVar("R")
BOUNDS = Bounds(seconds=30, memory=10**9)


def load_bounded(
    data: bytes, modality: Modality, size: int, *, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """`load_image` within `BOUNDS`.

    Raises:
        ImageError: as `load_image`, or it takes more.
        OSError: no process could be started.
    """
    if is_cheap(data):
        return load_image(data, modality, size, max_pixels=max_pixels)
    return within_bounds(load_image, data, modality, size, max_pixels=max_pixels, heic=True)


def within_bounds(decode: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R:
    """`decode(*arguments, **keywords)` in another process, which is stopped at `BOUNDS`.

    Raises:
        ImageError: it takes more.
        Exception: what the function raises.
        OSError: no process could be started.
    """
    try:
        return _processes().run(decode, *arguments, **keywords)
    except OutOfBoundsError as error:
        kind = ImageFault.BROKEN if isinstance(error, CrashedError) else ImageFault.TOO_LARGE
        raise ImageError(error.message, kind=kind) from error


@cache
def _processes() -> BoundedProcesses:
    """Those of this process; they end with it."""
    return BoundedProcesses(BOUNDS, most=os.cpu_count() or 1, module=load_image.__module__)
