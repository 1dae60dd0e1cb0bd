"""Triplet loss whose margin is the likeness of the two classes' texts.

SpLIP (Singha et al., ECCV 2024):

    mu(c+, c-) = cos(t_c+, t_c-),   L = mean_i max(0, d(a_i, p_i) - d(a_i, n_i) + mu(c_i+, c_i-))

The more alike the names of two classes, the farther apart they have to be.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from sbirctl.losses._cosine import cosine
from sbirctl.losses._distance import mean_or_zero

CosineDistance = Literal["squared", "cosine"]


def text_margin(positive: Tensor, negative: Tensor) -> Tensor:
    """mu: cosine similarity of two class texts, row by row.

    Args:
        positive, negative: (n, dim) text features, any norm.

    Returns:
        (n,) float32.
    """
    return cosine(positive, negative)


def adaptive_triplet(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: Tensor,
    distance: CosineDistance = "squared",
) -> Tensor:
    """Mean hinge over given triplets, each with a margin of its own.

    Args:
        anchor, positive, negative: (n, dim), any norm; row i of each is triplet i.
        margin: (n,).
        distance: "squared" Euclidean distance of unit vectors, 2 - 2 cos, or "cosine", 1 - cos.

    Returns:
        Scalar float32; exactly 0 for n = 0.
    """
    apart = cosine(anchor, negative) - cosine(anchor, positive)
    return mean_or_zero((apart * (2 if distance == "squared" else 1) + margin).relu())
