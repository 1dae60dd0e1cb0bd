"""Alignment loss of a photo and its own edge map, Semi3-Net Eq. 8.

L = mean_i |f(I_i) - f(E_i)|^2
"""

from __future__ import annotations

from torch import Tensor

from sbirctl.losses._cosine import at_least_float32
from sbirctl.losses._distance import mean_or_zero


def alignment(photo: Tensor, edge: Tensor) -> Tensor:
    """Mean squared Euclidean distance over photos.

    Args:
        photo: (n, dim) embeddings. edge: (n, dim), row i of photo i's edge map.

    Returns:
        Scalar float32; exactly 0 for n = 0.
    """
    difference = at_least_float32(photo) - at_least_float32(edge)
    return mean_or_zero(difference.square().sum(-1))
