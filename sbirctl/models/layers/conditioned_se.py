"""Squeeze-and-excitation blocks that see whether an image is a sketch (CSE-ResNet-50).

Liu et al., "Semantic-Aware Knowledge Preservation for Zero-Shot Sketch-Based Image Retrieval",
ICCV 2019, append a bit to the squeezed features of every block, ahead of the second layer. That is
the same as adding, where it is set, one learned vector to that layer's output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sbirctl.core.errors import UsageError
from sbirctl.models.layers.backbones import Backbone


class ConditionedSE(nn.Module):
    """One vector a block of the backbone, added to its excitation where the image is marked.

    The vectors start at 0, so the network starts as its published weights; the backbone's own
    parameters keep their names.

    Raises:
        UsageError: the backbone has no such blocks.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        blocks: list[Any] = [m.fc2 for n, m in backbone.named_modules() if _is_excitation(n, m)]
        if not blocks:
            raise UsageError(
                f"{backbone.settings.name} has no squeeze-and-excitation blocks.",
                "Take seresnet50, or leave the backbone out.",
            )
        self.vectors = nn.ParameterList(torch.zeros(fc2.out_channels) for fc2 in blocks)
        self._marked: Tensor | None = None
        for index, fc2 in enumerate(blocks):
            fc2.register_forward_hook(self._hook(index))

    @contextmanager
    def given(self, marked: Tensor) -> Iterator[None]:
        """Passes inside are of images whose bit is this, (n,) bool."""
        self._marked = marked
        try:
            yield
        finally:
            self._marked = None

    def _hook(self, index: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        def add(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            if self._marked is None:
                return output
            bit = self._marked.to(output.dtype).view(-1, 1, 1, 1)
            return output + bit * self.vectors[index].to(output.dtype).view(1, -1, 1, 1)

        return add


def _is_excitation(name: str, module: nn.Module) -> bool:
    fc2 = getattr(module, "fc2", None)
    return name.rpartition(".")[2] in ("se", "se_module") and isinstance(fc2, nn.Conv2d)
