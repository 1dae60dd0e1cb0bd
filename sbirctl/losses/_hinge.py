"""The hinge max(0, x) of a triplet, its smooth form, and the derivative of both.

    hard:  max(0, x)                            derivative 1 where x > 0, else 0
    soft:  log(1 + exp(beta x)) / beta          derivative sigmoid(beta x)

FFMLN's code (following MATHM) trains with the soft one at beta = 20: its derivative tells how much
a triplet still pulls, which the weighting of the terms needs.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

HingeKind = Literal["soft", "hard"]


def hinge(x: Tensor, kind: HingeKind = "soft", beta: float = 20.0) -> tuple[Tensor, Tensor]:
    """Value and derivative, element by element.

    Args:
        x: any shape, float32 or float64.
        kind: "soft" or "hard".
        beta: sharpness of the soft hinge.

    Returns:
        Two tensors of x's shape; the derivative of the soft hinge is itself differentiable.
    """
    if kind == "soft":
        return F.softplus(x, beta=beta), (beta * x).sigmoid()
    return x.relu(), (x > 0).to(x.dtype)
