"""Preservation of a teacher's labels, SAKE (Liu et al., ICCV 2019):

    L = mean_i -sum_k q_i[k] log softmax(z_i)[k],    q_i = softmax(lambda_1 t_i + lambda_2 a[y_i])

with the student's logits z, the frozen teacher's t and how near class y is to label k, a[y][k].
"""

from __future__ import annotations

from torch import Tensor

from sbirctl.losses._cosine import at_least_float32
from sbirctl.losses._distance import mean_or_zero


def label_preservation(student: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of the teacher's distribution.

    Args:
        student: (n, labels) logits.
        target: (n, labels) logits of the distribution to keep; no gradient goes into them.

    Returns:
        Scalar float32; 0 for n = 0.
    """
    kept = at_least_float32(target.detach()).softmax(-1)
    return mean_or_zero(-(kept * at_least_float32(student).log_softmax(-1)).sum(-1))
