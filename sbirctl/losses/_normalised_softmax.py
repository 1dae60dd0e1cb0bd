"""Normalised softmax: cross-entropy over cosines to one proxy a class.

Zhai & Wu, "Classification is a Strong Baseline for Deep Metric Learning", BMVC 2019
(FFMLN Eq. 5 is the same formula):

    L = -mean_i log( exp(x_i·p_{y_i} / t) / sum_c exp(x_i·p_c / t) ),   |x_i| = |p_c| = 1
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.losses._cosine import pairwise_cosine
from sbirctl.losses._loss import Loss
from sbirctl.losses._registry import LOSSES


def normalised_softmax(
    embeddings: Tensor, proxies: Tensor, labels: Tensor, *, temperature: float = 0.05
) -> Tensor:
    """Mean normalised softmax loss of a batch, computed in float32 whatever comes in.

    Args:
        embeddings: (n, dim), any float type, normalised here.
        proxies: (classes, dim), one learned vector a class, normalised here.
        labels: (n,) int64 in 0..classes-1.
        temperature: t; the paper uses 0.05.

    Returns:
        Scalar float32; 0 with a zero gradient for an empty batch.
    """
    # Under autocast the product would be rounded to half precision before the division by t.
    with torch.autocast(embeddings.device.type, enabled=False):
        logits = pairwise_cosine(embeddings, proxies) / temperature
        total = F.cross_entropy(logits, labels, reduction="sum")
    return total / max(len(labels), 1)


@LOSSES.register
class NormalisedSoftmaxLoss(Loss):
    """`normalised_softmax` with its proxies, which an optimiser has to train as well.

    Args:
        dim: size of the embeddings.
        classes: number of training classes.
        temperature: see there.
    """

    name = "normalised-softmax"

    def __init__(self, dim: int, classes: int, temperature: float = 0.05) -> None:
        super().__init__()
        self.temperature = temperature
        # Unit variance, not unit norm: the loss ignores the norm, an optimiser's step does not.
        self.proxies = nn.Parameter(torch.randn(classes, dim))

    @classmethod
    def of(cls, dim: int, classes: int, **options: Any) -> NormalisedSoftmaxLoss:
        """See `Loss.of`."""
        return cls(dim, classes, **options)

    def forward(
        self, embeddings: Tensor, labels: Tensor, is_sketch: Tensor | None = None
    ) -> Tensor:
        """See `Loss.forward`; sketches and photos are treated alike."""
        return normalised_softmax(embeddings, self.proxies, labels, temperature=self.temperature)
