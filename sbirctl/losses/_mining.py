"""Batch-hard mining: per anchor the farthest positive and the nearest negative of the batch.

Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", 2017, Eq. 5.
"""

from __future__ import annotations

import torch
from torch import Tensor


def hardest_positive(distances: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Largest distance among each anchor's candidates.

    Args:
        distances: (n, m) distances of anchors to batch items.
        candidates: (n, m) bool. The caller leaves the anchor itself out (`others`).

    Returns:
        (n,) distances, 0 where an anchor has no candidate, and (n,) bool: it has one.
    """
    if distances.shape[1] == 0:
        return distances.sum(1), candidates.any(1)
    found = candidates.any(1)
    return distances.masked_fill(~candidates, -torch.inf).amax(1).masked_fill(~found, 0.0), found


def hardest_negative(distances: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest distance among each anchor's candidates; arguments as for `hardest_positive`."""
    farthest_of_negated, found = hardest_positive(-distances, candidates)
    return -farthest_of_negated, found


def others(n: int, device: torch.device | None = None) -> Tensor:
    """(n, n) bool, False on the diagonal: every batch item but the anchor itself."""
    return ~torch.eye(n, dtype=torch.bool, device=device)
