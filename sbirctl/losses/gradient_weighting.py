"""Gradient-based weighting of several hinge losses (FFMLN's pairwise training, after MATHM).

    w_i = mean_k(g_k) / max(g_i, 0.1),    L = sum_i w_i l_i

g_i is the mean derivative of term i's hinge: a term whose triplets are mostly solved pulls little
and is weighted up, so that no term starves. The weights carry no gradient.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Weighting = Literal["gradient", "released", "none"]


def gradient_weights(gradients: Tensor, floor: float = 0.1) -> Tensor:
    """(k,) mean derivatives to (k,) detached weights; all 0 where every derivative is 0.

    Args:
        gradients: (k,) mean derivative of each term's hinge, 0..1.
        floor: smallest divisor.
    """
    own = gradients.detach()
    return own.mean() / own.clamp(min=floor)


def weighted_sum(losses: Tensor, gradients: Tensor, weighting: Weighting = "gradient") -> Tensor:
    """The terms as one scalar.

    Args:
        losses: (k,) the terms. gradients: (k,) their mean derivatives.
        weighting: "gradient" is the formula above; "none" the plain sum; "released" is what the
            authors' code computes: a (k, 1) weight times (k,) losses broadcasts to (k, k), so
            that the result is sum(w) * mean(l), and the weights carry gradient.

    Returns:
        Scalar; exactly 0 for k = 0.
    """
    if weighting == "none" or losses.numel() == 0:
        return losses.sum()
    if weighting == "released":
        return (gradients.mean() / gradients.clamp(min=0.1)).sum() * losses.mean()
    return (gradient_weights(gradients) * losses).sum()
