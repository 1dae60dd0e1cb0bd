"""Distances whose gradient is finite everywhere, and safe means."""

from __future__ import annotations

import torch
from torch import Tensor

from sbirctl.losses._cosine import at_least_float32

SQUARED_FLOOR = 1e-12  # below the square root, so that its derivative at 0 is finite


def euclidean(a: Tensor, b: Tensor) -> Tensor:
    """Row-wise Euclidean distance sqrt(|a_i - b_i|^2 + 1e-12).

    Args:
        a, b: (n, dim), any float type.

    Returns:
        (n,) float32 (float64 for float64 input).
    """
    difference = at_least_float32(a) - at_least_float32(b)
    return difference.square().sum(-1).add(SQUARED_FLOOR).sqrt()


def pairwise_euclidean(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance sqrt(|a_i - b_j|^2 + 1e-12) of every row of `a` to every row of `b`.

    The differences are formed directly: |a|^2 + |b|^2 - 2ab loses the small distances.

    Args:
        a: (n, dim). b: (m, dim), any float type.

    Returns:
        (n, m) float32 (float64 for float64 input).
    """
    exact = torch.cdist(
        at_least_float32(a), at_least_float32(b), compute_mode="donot_use_mm_for_euclid_dist"
    )
    return exact.square().add(SQUARED_FLOOR).sqrt()


def mean_or_zero(values: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean over the valid entries; exactly 0 with a zero gradient where there is none.

    Args:
        values: any shape, finite also where not valid.
        valid: bool of the same shape; None counts all.

    Returns:
        Scalar that stays connected to `values`.
    """
    if valid is None:
        return values.sum() / max(values.numel(), 1)
    return values.where(valid, 0.0).sum() / valid.sum().clamp(min=1)
