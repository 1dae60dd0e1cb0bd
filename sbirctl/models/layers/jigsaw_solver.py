"""Which order the cells of a sketch were put in, told from the sketch and a hint."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sbirctl.core.seeds import rng_for


class JigsawSolver(nn.Module):
    """A small transformer over two embeddings, the hint's and the shuffled sketch's.

    Args:
        dim: of the embeddings.
        orders: number of orders it tells apart.
        layers: of the transformer.
        heads: of its attention, a divisor of dim.
    """

    def __init__(self, dim: int, orders: int, layers: int = 2, heads: int = 8) -> None:
        super().__init__()
        self.place = nn.Parameter(0.02 * torch.randn(2, dim))
        layer = nn.TransformerEncoderLayer(
            dim, heads, 2 * dim, dropout=0.0, activation="gelu", batch_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.classifier = nn.Linear(2 * dim, orders)

    def forward(self, hint: Tensor, shuffled: Tensor) -> Tensor:
        """(n, dim) embeddings of both to (n, orders) logits."""
        pair = torch.stack([hint, shuffled], dim=1) + self.place
        return self.classifier(self.transformer(pair).flatten(1))


def most_orders(cells: int) -> int:
    """How many orders cells have beside the usual one."""
    return math.factorial(cells) - 1


def drawn_orders(count: int, cells: int) -> Tensor:
    """(count, cells) int64: different orders of the cells, none the usual one; always the same.

    Args:
        count: at most `most_orders`.
    """
    rng = rng_for("jigsaw orders", cells)
    found: dict[tuple[int, ...], None] = {}
    while len(found) < count:
        order = tuple(int(cell) for cell in rng.permutation(cells))
        if order != tuple(range(cells)):
            found[order] = None
    return torch.tensor(list(found))
