"""Pictures cut into a grid of cells whose order is changed: patch shuffling and jigsaws."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sbirctl.core.errors import UsageError


def shuffle_patches(images: Tensor, order: Tensor, grid: int) -> Tensor:
    """Cell k of the result is cell order[k] of the picture, counted row by row.

    Where the side is no multiple of `grid`, the rows and columns of pixels that are left over stay
    where they are, below and at the right.

    Args:
        images: (n, c, height, width).
        order: (grid², ) int64 for all pictures, or (n, grid²), one a picture.
        grid: cells of a row.

    Returns:
        (n, c, height, width), of the same type.
    """
    n, channels, height, width = images.shape
    tall, wide = height // grid, width // grid
    cut = images[:, :, : tall * grid, : wide * grid]
    cells = cut.unfold(2, tall, tall).unfold(3, wide, wide)  # (n, c, grid, grid, tall, wide)
    cells = cells.reshape(n, channels, grid * grid, tall, wide)
    index = order.to(images.device).expand(n, -1)[:, None, :, None, None]
    moved = cells.gather(2, index.expand(-1, channels, -1, tall, wide))
    moved = moved.view(n, channels, grid, grid, tall, wide).transpose(3, 4)
    result = images.clone()
    result[:, :, : tall * grid, : wide * grid] = moved.reshape(cut.shape)
    return result


def check_grid(grid: int, size: int, key: str) -> None:
    """Refuse cells of less than a pixel.

    Args:
        grid: cells of a row. size: side of the pictures in pixels.
        key: the setting that `grid` is.

    Raises:
        UsageError: there are more cells in a row than pixels.
    """
    if grid > size:
        raise UsageError(
            f"{key}={grid} cells do not fit in a row of {size} pixels.", f"Take {size} or fewer."
        )


def two_orders(rng: np.random.Generator, cells: int) -> tuple[Tensor, Tensor]:
    """Two different orders of the cells, each drawn uniformly."""
    first = rng.permutation(cells)
    second = rng.permutation(cells)
    while np.array_equal(first, second):
        second = rng.permutation(cells)
    return torch.from_numpy(first), torch.from_numpy(second)
