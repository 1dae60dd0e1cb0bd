"""Batch-hard triplet loss.

Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", 2017, Eq. 5:

    L = mean_a max(0, m + max_{p: y_p = y_a, p ≠ a} d(a, p) - min_{n: y_n ≠ y_a} d(a, n))

over the anchors that have a positive and a negative in the batch.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from sbirctl.losses._cosine import pairwise_cosine
from sbirctl.losses._distance import mean_or_zero, pairwise_euclidean
from sbirctl.losses._loss import Loss
from sbirctl.losses._mining import hardest_negative, hardest_positive, others
from sbirctl.losses._registry import LOSSES


def batch_hard_triplet(
    embeddings: Tensor,
    labels: Tensor,
    *,
    margin: float = 0.2,
    distance: Literal["euclidean", "cosine"] = "euclidean",
) -> Tensor:
    """Mean hinge over the valid anchors, computed in float32 whatever comes in.

    Args:
        embeddings: (n, dim), any float type, taken as they are.
        labels: (n,) int64.
        margin: m, in units of the distance.
        distance: "euclidean" is sqrt(|a-b|² + 1e-12), "cosine" is 1 - cos(a, b).

    Returns:
        Scalar float32; exactly 0 with a zero gradient where no anchor is valid.
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        if distance == "cosine":
            distances = 1 - pairwise_cosine(embeddings, embeddings)
        else:
            distances = pairwise_euclidean(embeddings, embeddings)
        same = labels[:, None] == labels[None, :]
        positive, has_positive = hardest_positive(
            distances, same & others(len(labels), labels.device)
        )
        negative, has_negative = hardest_negative(distances, ~same)
        hinge = (margin + positive - negative).clamp(min=0)
        return mean_or_zero(hinge, has_positive & has_negative)


@LOSSES.register
class TripletLoss(Loss):
    """`batch_hard_triplet` as a module.

    Args:
        margin, distance: see there.
    """

    name = "triplet"

    def __init__(
        self, margin: float = 0.2, distance: Literal["euclidean", "cosine"] = "euclidean"
    ) -> None:
        super().__init__()
        self.margin = margin
        self.distance: Literal["euclidean", "cosine"] = distance

    def forward(
        self, embeddings: Tensor, labels: Tensor, is_sketch: Tensor | None = None
    ) -> Tensor:
        """See `Loss.forward`; sketches and photos are treated alike."""
        return batch_hard_triplet(embeddings, labels, margin=self.margin, distance=self.distance)
