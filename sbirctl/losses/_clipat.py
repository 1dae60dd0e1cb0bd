"""Objective of CLIP-AT (Sain et al., CVPR 2023).

categories:    L = L_Tri + lambda_1 (L_cls^p + L_cls^s)
fine-grained:  L = L_Tri^hard + lambda_2 (L_cls^s + L_cls^p) + lambda_3 L_delta + lambda_4 L_PS
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def clipat_objective(
    terms: Mapping[str, Tensor],
    *,
    cls_weight: float = 0.5,
    divergence: float = 0.0,
    shuffle: float = 0.0,
) -> Tensor:
    """Weighted sum of the named terms that there are.

    Args:
        terms: `triplet`, and of `cls_sketch`, `cls_photo`, `divergence` and `shuffle` those that
            have a weight.
        cls_weight: lambda_1, or lambda_2 of the fine-grained loss.
        divergence: lambda_3.
        shuffle: lambda_4.

    Returns:
        Scalar.
    """
    weights = {
        "triplet": 1.0,
        "cls_sketch": cls_weight,
        "cls_photo": cls_weight,
        "divergence": divergence,
        "shuffle": shuffle,
    }
    return sum((weights[name] * value for name, value in terms.items()), terms["triplet"] * 0)
