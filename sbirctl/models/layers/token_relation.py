"""How much the local parts of a sketch and of a photo match (ZSE-SBIR, Lin et al., CVPR 2023).

Read from the released code: tokens are pooled two by two, the cosines of all pairs are the kernel,
and a small network makes one number of them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.core.errors import UsageError

Grid = Literal["map", "released"]


class TokenRelation(nn.Module):
    """One score between 0 and 1 a pair.

    Attributes:
        anchors: pooled tokens of an image.

    Args:
        width: numbers of a token. grid: tokens a side, even. pooled: numbers of a pooled token.
        reading: "map": tokens lie on the grid as their patches do; "released": the numbers of all
            tokens, one after the other, are taken for `width` maps, as the code does.
        dropout: share.

    Raises:
        UsageError: an odd grid.
    """

    def __init__(self, width: int, grid: int, pooled: int, reading: Grid, dropout: float) -> None:
        super().__init__()
        if grid % 2:
            raise UsageError(f"{grid} x {grid} tokens cannot be pooled two by two.", "See size=.")
        self.width, self.grid, self.reading = width, grid, reading
        self.anchors = (grid // 2) ** 2
        self.pool = nn.Conv2d(width, pooled, 2, 2)
        middle = round(self.anchors**1.5)
        self.score = nn.Sequential(
            nn.Linear(self.anchors**2, middle),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(middle, self.anchors),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(self.anchors, 1),
        )

    def forward(self, sketch: Tensor, photo: Tensor) -> Tensor:
        """(n, grid^2, width) tokens of n sketches and n photos to (n,) scores."""
        kernel = self.pooled(sketch) @ self.pooled(photo).transpose(1, 2)
        return self.score(kernel.flatten(1)).squeeze(1).sigmoid()

    def pooled(self, tokens: Tensor) -> Tensor:
        """(n, grid^2, width) tokens to (n, anchors, pooled) of length 1."""
        maps = tokens if self.reading == "released" else tokens.transpose(1, 2)
        found = self.pool(maps.reshape(len(tokens), self.width, self.grid, self.grid))
        return F.normalize(
            found.flatten(2).transpose(1, 2), dim=-1, eps=torch.finfo(found.dtype).tiny
        )
