"""Relative distances of triplets, and how differently they are distributed over categories.

Sain et al., "CLIP for All Things Zero-Shot Sketch-Based Image Retrieval", CVPR 2023:

    delta(s, p+, p-) = d(s, p+) - d(s, p-),    d(a, b) = 1 - cos(a, b)
    D_c = softmax_k( delta of triplet k of category c )
    L_delta = mean over ordered pairs i != j of KL(D_i || D_j)

One margin of a triplet loss fits all categories the better, the smaller L_delta is.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from sbirctl.losses._cosine import cosine

DistanceOrder = Literal["drawn", "sorted"]


def relative_distance(anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """d(anchor, positive) - d(anchor, negative), row by row.

    Args:
        anchor, positive, negative: (n, dim), any norm; row i of each is triplet i.

    Returns:
        (n,) float32, between -2 and 2.
    """
    return cosine(anchor, negative) - cosine(anchor, positive)


def category_divergence(
    relative: Tensor, category: Tensor, each: int, order: DistanceOrder = "drawn"
) -> Tensor:
    """L_delta over the categories that have `each` triplets or more.

    Distributions can be compared only over as many triplets: of a category with more, the first
    `each` count. Which triplet of one category stands against which of another has no meaning, so
    that KL sees differences that are none; "sorted" takes them from near to far.

    Args:
        relative: (n,) relative distances.
        category: (n,) int64 category of each triplet.
        each: triplets of a category, 2 or more.
        order: as they come, or sorted within the category.

    Returns:
        Scalar float32; exactly 0 where fewer than two categories have enough triplets.
    """
    rows = [(category == one).nonzero().flatten()[:each] for one in category.unique()]
    rows = [found for found in rows if len(found) == each]
    if len(rows) < 2:
        return relative.sum() * 0
    values = relative[torch.stack(rows)]
    if order == "sorted":
        values = values.sort(dim=1).values
    log = values.float().log_softmax(dim=1)
    with torch.autocast(log.device.type, enabled=False):  # KL is a small difference of large sums
        cross = log.exp() @ log.T  # sum_k D_i[k] log D_j[k]
    pairs = len(rows) * (len(rows) - 1)
    return (cross.diagonal()[:, None] - cross).sum() / pairs  # KL of i to itself is 0
