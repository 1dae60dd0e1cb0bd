"""Relation pair loss L_RP, Dr. CLIP Eqs. 9 to 11.

    Logits = sim(f, texts)                        one vector an image (9)
    Score_ij = sigmoid( sim(Logits_S_i, Logits_P_j) )                (10)
    L_RP = mean_ij (Score_ij - RL_ij)^2                              (11)

RL is 1 where sketch i and photo j share a class, else 0. Eq. 11 prints (Score_i, RL_i)^2; the
difference is meant. A sigmoid of a cosine lies in [0.27, 0.73], so the loss never reaches 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sbirctl.losses._cosine import at_least_float32, pairwise_cosine
from sbirctl.losses._distance import mean_or_zero


def pair_relation(
    sketch_logits: Tensor,
    photo_logits: Tensor,
    sketch_labels: Tensor,
    photo_labels: Tensor,
    *,
    center: bool = False,
) -> Tensor:
    """Mean squared error of the relation scores over all sketch-photo pairs of the batch.

    Args:
        sketch_logits: (n, classes) similarities to the class texts, anchors and negatives.
        photo_logits: (m, classes) the same of photos, positives and negatives.
        sketch_labels: (n,) int64. photo_labels: (m,) int64.
        center: remove the batch's mean vector first (`rp_center`); CLIP's logit vectors are all
            nearly parallel, so that without it the scores hardly differ.

    Returns:
        Scalar float32; exactly 0 without a pair.
    """
    sketches, photos = at_least_float32(sketch_logits), at_least_float32(photo_logits)
    if center and len(sketches) + len(photos):
        mean = torch.cat([sketches, photos]).mean(0)
        sketches, photos = sketches - mean, photos - mean
    scores = pairwise_cosine(sketches, photos).sigmoid()
    related = (sketch_labels[:, None] == photo_labels[None, :]).to(scores.dtype)
    return mean_or_zero((scores - related).square())
