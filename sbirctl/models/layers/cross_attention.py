"""Tokens of a sketch and of a photo that look at each other (ZSE-SBIR, Lin et al., CVPR 2023).

Read from the released code: a side's queries and values, with the other side's keys; what is
summed up stays a side's own, only how much of it depends on the other side.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CrossAttention(nn.Module):
    """Layers of attention between two sets of equally many tokens, each side with its own weights.

    Args:
        width: numbers of a token. heads: of the attention, a divisor of it.
        hidden: of the feed-forward layer. layers: how many. dropout: share.
    """

    def __init__(self, width: int, heads: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        made = [[CrossLayer(width, heads, hidden, dropout) for _ in range(layers)] for _ in "sp"]
        self.sketch, self.photo = map(nn.ModuleList, made)

    def forward(self, sketch: Tensor, photo: Tensor) -> tuple[Tensor, Tensor]:
        """(n, T, width) tokens of n sketches and of n photos; the same of both afterwards."""
        for of_sketch, of_photo in zip(self.sketch, self.photo, strict=True):
            sketch, photo = of_sketch(sketch, photo), of_photo(photo, sketch)
        return sketch, photo


class CrossLayer(nn.Module):
    """Attention and feed-forward layer of one side, each added to what came and normalised."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norms = nn.ModuleList([SpreadNorm(width), SpreadNorm(width)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        """(n, T, width) tokens of this side, seen from the other."""
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.query, own), (self.key, other), (self.value, own))
        )
        share = self.dropout.p if self.training else 0.0
        seen = F.scaled_dot_product_attention(query, key, value, dropout_p=share)
        seen = self.out(seen.transpose(1, 2).flatten(2))
        own = self.norms[0](own + self.dropout(seen))
        made = self.second(self.dropout(self.first(own).relu()))
        found: Tensor = self.norms[1](own + self.dropout(made))
        return found


class SpreadNorm(nn.Module):
    """a (x - mean) / (s + 1e-6) + b with the unbiased deviation s, over the last axis."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        deviation, mean = torch.std_mean(x, dim=-1, keepdim=True)
        return self.weight * (x - mean) / (deviation + 1e-6) + self.bias
