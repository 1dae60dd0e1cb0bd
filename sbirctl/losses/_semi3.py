"""Hybrid loss of Semi3-Net, Eq. 12.

L = sum_D L_cross-entropy + alpha L_SI + beta L_alignment + gamma L_SE,    D = I, E, S
"""

from __future__ import annotations

from torch import Tensor


def semi3_objective(
    cross_entropy: Tensor,
    sketch_photo: Tensor,
    align: Tensor,
    sketch_edge: Tensor,
    *,
    alpha: float = 10.0,
    beta: float = 100.0,
    gamma: float = 10.0,
) -> Tensor:
    """Weighted sum. Without the hybrid loss (Table III, "w/o HLM") beta = gamma = 0.

    Args:
        cross_entropy: sum of `classification` over photos, edge maps and sketches, Eq. 10.
        sketch_photo: `contrastive` of sketches and photos, Eq. 11.
        align: `alignment`, Eq. 8.
        sketch_edge: `contrastive` of sketches and edge maps, Eq. 9.

    Returns:
        Scalar.
    """
    return cross_entropy + alpha * sketch_photo + beta * align + gamma * sketch_edge
