"""Any method on any number of photos, in pieces whose size cannot change the result."""

from __future__ import annotations

import torch
from torch import Tensor

from sbirctl.core.errors import UsageError
from sbirctl.edges.canny import canny_edges
from sbirctl.edges.gb import gb_boundaries, gb_edges
from sbirctl.edges.settings import CannySettings, EdgeSettings

SMALLEST_SIDE = 8
GPU_PIECE = 16


@torch.no_grad()
def compute(photos: Tensor, settings: EdgeSettings) -> Tensor:
    """Edge maps by the method whose settings are given; see `sbirctl.edges.edge_maps`."""
    check_photos(photos)
    if not len(photos):
        return photos[:, :1]
    # One photo at a time stays in a processor's cache; a GPU wants more at once, always as many,
    # since a library may choose another algorithm for another batch size.
    size = 1 if photos.device.type == "cpu" else GPU_PIECE
    maps = [_piece(piece, settings, size) for piece in photos.split(size)]
    return torch.cat(maps)


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


def _piece(photos: Tensor, settings: EdgeSettings, size: int) -> Tensor:
    count = len(photos)
    if count < size:
        photos = torch.cat([photos, photos[-1:].expand(size - count, -1, -1, -1)])
    if isinstance(settings, CannySettings):
        edges = canny_edges(photos, settings)
    else:
        edges = gb_edges(gb_boundaries(photos, settings), settings)
    return (255 - (edges[:count, None] * 255).round()).to(torch.uint8)
