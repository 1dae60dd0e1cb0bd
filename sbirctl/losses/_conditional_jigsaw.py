"""Conditional cross-modal jigsaw loss of SpLIP (Singha et al., ECCV 2024).

    L_cjs = CE(r, y) + max(0, CE(r+, y) - CE(r-, y))

y is the order a sketch's cells were put in. r are the logits of a solver that sees the shuffled
sketch beside the whole one, r+ beside its photo and r- beside another photo: the right photo has to
help with the jigsaw at least as much as the wrong one.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from sbirctl.losses._cosine import at_least_float32
from sbirctl.losses._distance import mean_or_zero


def conditional_jigsaw(sketch: Tensor, positive: Tensor, negative: Tensor, order: Tensor) -> Tensor:
    """Mean over the sketches.

    Args:
        sketch, positive, negative: (n, orders) logits of r, r+ and r-.
        order: (n,) int64, the true one.

    Returns:
        Scalar float32; exactly 0 for n = 0.
    """
    own, right, wrong = (
        F.cross_entropy(at_least_float32(logits), order, reduction="none")
        for logits in (sketch, positive, negative)
    )
    return mean_or_zero(own + (right - wrong).relu())
