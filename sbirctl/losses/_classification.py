"""Softmax cross-entropy over the training classes.

Dr. CLIP Eqs. 2 and 3 (on `class_logits`), FFMLN Eq. 6 (written there as a sum; built as the mean,
as the authors' code has it), Semi3-Net Eq. 10:

    L = mean_i -log( exp(z_i[y_i]) / sum_j exp(z_i[j]) )
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from sbirctl.losses._cosine import at_least_float32
from sbirctl.losses._distance import mean_or_zero


def classification(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy.

    Args:
        logits: (n, classes), any float type, not normalised.
        labels: (n,) int64.

    Returns:
        Scalar float32; exactly 0 for n = 0.
    """
    return mean_or_zero(F.cross_entropy(at_least_float32(logits), labels, reduction="none"))
