"""Contrastive loss of sketch and photo, and of sketch and edge map: Semi3-Net Eqs. 11 and 9.

    L = mean_i  l_i d_i + (1 - l_i) max(0, m - d_i),    d = Euclidean distance

l_i is 1 for a pair of one class, 0 otherwise. The paper prints distances that are not squared, so
that below the margin a positive and a negative at one place pull with equal force. Squared (Hadsell
et al., "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006; Caffe's layer) it is

    L = mean_i  l_i d_i^2 + (1 - l_i) max(0, m - d_i)^2
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sbirctl.losses._distance import euclidean, mean_or_zero
from sbirctl.losses._loss import Loss
from sbirctl.losses._registry import LOSSES


def contrastive(
    a: Tensor, b: Tensor, same: Tensor, margin: float = 0.3, *, squared: bool = False
) -> Tensor:
    """Mean over given pairs.

    Args:
        a, b: (n, dim) embeddings; row i of each is pair i. Semi3-Net's are L2-normalised.
        same: (n,) bool, the pair is of one class.
        margin: m_1 (edge maps) or m_2 (photos).
        squared: square the distance and what is left of the margin.

    Returns:
        Scalar float32; exactly 0 for n = 0.
    """
    distance = euclidean(a, b)
    left = distance.where(same, (margin - distance).relu())
    return mean_or_zero(left.square() if squared else left)


@LOSSES.register
class ContrastiveLoss(Loss):
    """`contrastive` over every sketch with every photo of a batch, of L2-normalised embeddings.

    Args:
        margin, squared: see there.
    """

    name = "contrastive"

    def __init__(self, margin: float = 0.3, squared: bool = False) -> None:
        super().__init__()
        self.margin, self.squared = margin, squared

    def forward(
        self, embeddings: Tensor, labels: Tensor, is_sketch: Tensor | None = None
    ) -> Tensor:
        """See `Loss.forward`; without `is_sketch` every two different rows are a pair."""
        if is_sketch is None:
            first, second = torch.triu_indices(len(labels), len(labels), 1, device=labels.device)
        else:
            first, second = (is_sketch[:, None] & ~is_sketch).nonzero(as_tuple=True)
        unit = F.normalize(embeddings, dim=-1)
        same = labels[first] == labels[second]
        return contrastive(unit[first], unit[second], same, self.margin, squared=self.squared)
