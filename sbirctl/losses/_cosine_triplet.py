"""Triplet loss on cosine similarity.

    L = mean_i max(0, sim(a_i, n_i) - sim(a_i, p_i) + m)

The triplet of CLIP-all (Sain et al., CVPR 2023) with distance 1 - sim and m = 0.2, and the two
parts of Dr. CLIP's quadruplet (Eqs. 6 and 7, m = 0.3). Dr. CLIP prints both similarities with the
signs exchanged; minimised as printed it would push the positive away.
"""

from __future__ import annotations

from torch import Tensor

from sbirctl.losses._cosine import cosine
from sbirctl.losses._distance import mean_or_zero


def cosine_triplet(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 0.2
) -> Tensor:
    """Mean hinge over given triplets.

    Args:
        anchor, positive, negative: (n, dim), any norm; row i of each is triplet i.
        margin: m, in units of cosine similarity.

    Returns:
        Scalar float32; exactly 0 for n = 0.
    """
    return mean_or_zero((cosine(anchor, negative) - cosine(anchor, positive) + margin).relu())
