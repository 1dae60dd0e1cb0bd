"""Domain-aware triplets of FFMLN: single-modality, hybrid and cross-modal, batch-hard.

    L = mean_a hinge( E(a, p) - E(a, n) + margin ),    E = Euclidean distance

    sin (Eq. 3)  p and n of the anchor's modality
    mul (Eq. 4)  p of the other modality, n of the anchor's
    cro (Eq. 8)  p and n of the other modality

p is the anchor's farthest positive of the batch (never the anchor itself), n its nearest negative;
sketches and photos are anchors. The equations print |E(a,p) - E(a,n)| + margin, which could not
push a negative away; the hinge is what the authors' code has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from sbirctl.losses._cosine import at_least_float32
from sbirctl.losses._distance import mean_or_zero, pairwise_euclidean
from sbirctl.losses._gradient_weighting import Weighting, weighted_sum
from sbirctl.losses._hinge import HingeKind, hinge
from sbirctl.losses._loss import Loss
from sbirctl.losses._mining import hardest_negative, hardest_positive, others
from sbirctl.losses._registry import LOSSES

TripletTerm = Literal["sin", "mul", "cro"]
TERMS: tuple[TripletTerm, ...] = ("sin", "mul", "cro")


@dataclass(frozen=True)
class MinedTriplets:
    """One term of the loss.

    Attributes:
        loss: scalar, mean hinge over the anchors that have a positive and a negative.
        gradient: scalar, mean derivative of the hinge over the same anchors.
        anchors: scalar int64, how many there are.
    """

    loss: Tensor
    gradient: Tensor
    anchors: Tensor


def domain_triplets(
    embeddings: Tensor,
    labels: Tensor,
    is_sketch: Tensor,
    *,
    terms: Sequence[TripletTerm] = TERMS,
    margin: float = 0.2,
    kind: HingeKind = "soft",
    beta: float = 20.0,
    released_mining: bool = False,
) -> dict[TripletTerm, MinedTriplets]:
    """The chosen terms over one batch of sketches and photos.

    Args:
        embeddings: (n, dim), L2-normalised here.
        labels: (n,) int64. is_sketch: (n,) bool.
        margin: in units of Euclidean distance.
        kind, beta: which hinge.
        released_mining: as the authors' code: an anchor without a positive of its modality is
            its own positive, and anchors without a triplet count as zeros in the means.

    Returns:
        {name: term}; loss and gradient are exactly 0 where no anchor has a triplet.
    """
    unit = F.normalize(at_least_float32(embeddings), dim=-1)
    distances = pairwise_euclidean(unit, unit)
    same_class = labels[:, None] == labels
    same_modality = is_sketch[:, None] == is_sketch
    not_itself = others(len(labels), labels.device) | released_mining
    result: dict[TripletTerm, MinedTriplets] = {}
    for term in terms:
        positives = same_class & not_itself & (same_modality if term == "sin" else ~same_modality)
        negatives = ~same_class & (~same_modality if term == "cro" else same_modality)
        farthest, has_positive = hardest_positive(distances, positives)
        nearest, has_negative = hardest_negative(distances, negatives)
        valid = has_positive & has_negative
        losses, gradients = hinge(farthest - nearest + margin, kind, beta)
        found = valid.sum()
        share = found / max(len(valid), 1) if released_mining else 1.0
        result[term] = MinedTriplets(
            mean_or_zero(losses, valid) * share, mean_or_zero(gradients, valid) * share, found
        )
    return result


@LOSSES.register
class DomainTripletLoss(Loss):
    """The terms of `domain_triplets` as one scalar, weighted as FFMLN's pairwise training does.

    Args:
        terms, margin, beta: see `domain_triplets`.
        weighting: see `weighted_sum`.
    """

    name = "domain-triplets"

    def __init__(
        self,
        terms: Sequence[TripletTerm] = TERMS,
        margin: float = 0.2,
        beta: float = 20.0,
        weighting: Weighting = "gradient",
    ) -> None:
        super().__init__()
        self.terms, self.margin, self.beta, self.weighting = terms, margin, beta, weighting

    def forward(
        self, embeddings: Tensor, labels: Tensor, is_sketch: Tensor | None = None
    ) -> Tensor:
        """See `Loss.forward`; without `is_sketch` all rows count as photos: only `sin` has any."""
        if is_sketch is None:
            is_sketch = torch.zeros_like(labels, dtype=torch.bool)
        found = domain_triplets(
            embeddings, labels, is_sketch, terms=self.terms, margin=self.margin, beta=self.beta
        ).values()
        return weighted_sum(
            torch.stack([one.loss for one in found]),
            torch.stack([one.gradient for one in found]),
            self.weighting,
            torch.stack([one.anchors for one in found]) > 0,
        )
