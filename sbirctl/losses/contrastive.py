"""Contrastive loss of sketch and photo, and of sketch and edge map: Semi3-Net Eqs. 11 and 9.

    L = mean_i  l_i d_i + (1 - l_i) max(0, m - d_i),    d = Euclidean distance (not squared)

l_i is 1 for a pair of one class, 0 otherwise.
"""

from __future__ import annotations

from torch import Tensor

from sbirctl.losses.distance import euclidean, mean_or_zero


def contrastive(a: Tensor, b: Tensor, same: Tensor, margin: float = 0.3) -> Tensor:
    """Mean over given pairs.

    Args:
        a, b: (n, dim) embeddings; row i of each is pair i. Semi3-Net's are L2-normalised.
        same: (n,) bool, the pair is of one class.
        margin: m_1 (edge maps) or m_2 (photos).

    Returns:
        Scalar float32; exactly 0 for n = 0.
    """
    distance = euclidean(a, b)
    return mean_or_zero(distance.where(same, (margin - distance).relu()))
