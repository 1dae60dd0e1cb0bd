"""Any method on any number of photos, in pieces whose size cannot change the result."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from sbirctl.core.errors import UsageError
from sbirctl.edges.canny import canny_edges
from sbirctl.edges.gb import gb_boundaries, gb_edges
from sbirctl.edges.settings import CannySettings, EdgeSettings

SMALLEST_SIDE = 8
GPU_PIECE = 16


def compute(photos: Tensor, settings: EdgeSettings) -> Tensor:
    """Edge maps by the method whose settings are given; see `sbirctl.edges.edge_maps`."""
    check_photos(photos)
    maps = torch.empty_like(photos[:, :1])
    if photos.device.type == "cpu":

        def work(i: int) -> None:
            maps[i] = _piece(photos[i : i + 1], settings, 1)[0]

        in_threads(work, len(photos))
    else:
        # Always as many at once: a library may choose another algorithm for another batch size.
        for start in range(0, len(photos), GPU_PIECE):
            end = start + GPU_PIECE
            maps[start:end] = _piece(photos[start:end], settings, GPU_PIECE)
    return maps


def in_threads(work: Callable[[int], None], count: int) -> None:
    """`work` on each of so many photos, in as many threads as torch has, each of them single.

    This is quicker than many threads on each small image, above all on a busy machine, where they
    wait for one another; and the number of threads cannot change a result.
    """
    threads = torch.get_num_threads()
    # A thread's own count of threads; restored below for threads that start later.
    pool = ThreadPoolExecutor(threads, "edges", torch.set_num_threads, (1,))
    try:
        with pool:
            for _ in pool.map(work, range(count)):
                pass
    finally:
        torch.set_num_threads(threads)


def check_photos(photos: Tensor) -> None:
    """Raise UsageError unless photos are (n, 3, H, W) uint8 of a size that can have edges."""
    if photos.dtype != torch.uint8 or photos.ndim != 4 or photos.shape[1] != 3:
        raise UsageError(
            f"Photos of shape {tuple(photos.shape)} and type {photos.dtype} have no edge maps.",
            "Give an (n, 3, height, width) uint8 tensor.",
        )
    if min(photos.shape[-2:]) < SMALLEST_SIDE:
        raise UsageError(
            f"Photos of {photos.shape[-1]} x {photos.shape[-2]} pixels are too small.",
            f"Edge maps need {SMALLEST_SIDE} pixels a side at least.",
        )


@torch.no_grad()
def _piece(photos: Tensor, settings: EdgeSettings, size: int) -> Tensor:
    count = len(photos)
    if count < size:
        photos = torch.cat([photos, photos[-1:].expand(size - count, -1, -1, -1)])
    if isinstance(settings, CannySettings):
        edges = canny_edges(photos, settings)
    else:
        edges = gb_edges(gb_boundaries(photos, settings), settings)
    return (255 - (edges[:count, None] * 255).round()).to(torch.uint8)
