"""Gradient-based weighting of several hinge losses (FFMLN's pairwise training, after MATHM).

    w_i = mean_k(g_k) / max(g_i, 0.1),    L = sum_i w_i l_i

g_i is the mean derivative of term i's hinge: a term whose triplets are mostly solved pulls little
and is weighted up, so that no term starves. The mean is over the terms that have a triplet in the
batch. The weights carry no gradient.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from sbirctl.losses._distance import mean_or_zero

Weighting = Literal["gradient", "released", "none"]


def gradient_weights(
    gradients: Tensor, floor: float = 0.1, present: Tensor | None = None
) -> Tensor:
    """(k,) mean derivatives to (k,) detached weights; all 0 where every derivative is 0.

    Args:
        gradients: (k,) mean derivative of each term's hinge, 0..1.
        floor: smallest divisor.
        present: (k,) bool, the term has a triplet; None: all have.
    """
    own = gradients.detach()
    return mean_or_zero(own, present) / own.clamp(min=floor)


def third_of_gradient(loss: Tensor) -> Tensor:
    """The same value with a third of its gradient.

    The authors' losses of one term concatenate the term with two detached copies of itself.
    """
    return loss / 3 + loss.detach() * 2 / 3


def weighted_sum(
    losses: Tensor,
    gradients: Tensor,
    weighting: Weighting = "gradient",
    present: Tensor | None = None,
) -> Tensor:
    """The terms as one scalar.

    Args:
        losses: (k,) the terms. gradients: (k,) their mean derivatives.
        weighting: "gradient" is the formula above; "none" the plain sum; "released" is what the
            authors' code computes: a (k, 1) weight times (k,) losses broadcasts to (k, k), so
            that the result is sum(w) * mean(l), and the weights carry gradient.
        present: (k,) bool, the term has a triplet in the batch; None: all have. The released code
            counts the others as terms of gradient 0.

    Returns:
        Scalar; exactly 0 for k = 0.
    """
    if weighting == "none" or losses.numel() == 0:
        return losses.sum()
    if weighting == "released":
        return (gradients.mean() / gradients.clamp(min=0.1)).sum() * losses.mean()
    return (gradient_weights(gradients, present=present) * losses).sum()
