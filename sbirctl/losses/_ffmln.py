"""Objective of FFMLN, Eq. 9.

    L = L_norm + lambda (L_cls + L_sin + L_mul [+ L_cro])

Eq. 9 and Algorithm 1 leave L_cro out, the text and the authors' code have it.
"""

from __future__ import annotations

from torch import Tensor


def ffmln_objective(norm: Tensor, cls: Tensor, triplets: Tensor, lambda_: float = 0.8) -> Tensor:
    """Weighted sum.

    Args:
        norm: normalised softmax loss, Eq. 5.
        cls: `classification`, Eq. 6.
        triplets: `weighted_sum` of the `domain_triplets` terms that take part.
        lambda_: lambda of Eq. 9; the paper's Figure 10 finds 0.7 to 1 best.

    Returns:
        Scalar.
    """
    return norm + lambda_ * (cls + triplets)
