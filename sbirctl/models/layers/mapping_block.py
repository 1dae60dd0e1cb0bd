"""Linear layers that turn tokens of one encoder into prompts of the other."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class MappingBlock(nn.Module):
    """Tokens to prompts of another width.

    Args:
        given: number and width of the tokens that are read together as one vector.
        prompts: number and width of what is made of them.
        hidden: width between the layers.
        layers: linear layers, 1 or more, with ReLU between them.
    """

    def __init__(
        self, given: tuple[int, int], prompts: tuple[int, int], hidden: int, layers: int
    ) -> None:
        super().__init__()
        self._prompts = prompts
        widths = [given[0] * given[1], *[hidden] * (layers - 1), prompts[0] * prompts[1]]
        steps: list[nn.Module] = []
        for before, after in pairwise(widths):
            steps += [nn.Linear(before, after), nn.ReLU()]
        self.steps = nn.Sequential(*steps[:-1])

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, tokens, width) to (n, prompts, other width)."""
        return self.steps(tokens.flatten(1)).unflatten(1, self._prompts)
