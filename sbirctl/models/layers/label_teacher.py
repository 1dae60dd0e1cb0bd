"""A frozen classifier that a student is held to, and the student's start from it (SAKE)."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from sbirctl.models.layers.backbones import Backbone


class LabelTeacher(nn.Module):
    """A backbone with its own classifier, which gives the logits of its labels and never learns.

    It is no part of the `state_dict`: what it is made of is the published weights.
    """

    def __init__(self, backbone: Backbone, labels: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.width, labels)
        self.requires_grad_(False)
        self.register_state_dict_post_hook(_without)

    def train(self, mode: bool = True) -> Self:
        """It stays in evaluation mode."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, H, W) normalised images to (n, labels) logits, without gradient."""
        with torch.no_grad():
            found: Tensor = self.classifier(self.backbone(images))
        return found


def _without(_module: nn.Module, state: dict[str, Tensor], prefix: str, _metadata: object) -> None:
    for key in [key for key in state if key.startswith(prefix)]:
        del state[key]


def factorised(weight: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The best two factors of a classifier over `dim` numbers, by singular values.

    With W = U S V^T, the first is S V^T and the second U, each of the `dim` largest values.

    Args:
        weight: (labels, width).

    Returns:
        (dim, width) and (labels, dim); their product, second by first, is W where dim suffices.
    """
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    return values[:dim, None] * right[:dim], left[:, :dim]
