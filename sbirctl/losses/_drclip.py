"""Objective of Dr. CLIP, Eqs. 5 and 12.

L_FSC = L_cls^S + L_cls^P + lambda_1 L_FS                         (5)
L = L_FSC + lambda_2 L_DBQ + lambda_3 L_RP                       (12)
"""

from __future__ import annotations

from torch import Tensor


def drclip_objective(
    cls_sketch: Tensor,
    cls_photo: Tensor,
    fs: Tensor,
    dbq: Tensor,
    rp: Tensor,
    *,
    cls_weight: float = 1.0,
    lambda1: float = 15.0,
    lambda2: float = 4.0,
    lambda3: float = 4.0,
) -> Tensor:
    """Weighted sum of the named terms.

    "w/o FSC" of Tables 6 and 7 is cls_weight = lambda1 = 0, "w/o DBQ" lambda2 = 0, "w/o RP"
    lambda3 = 0. The authors' code has cls_weight 0.5.

    Args:
        cls_sketch, cls_photo: `classification` of `class_logits`, Eqs. 2 and 3.
        fs: L_FS, `forgetting`, Eq. 4.
        dbq: `domain_balanced_quadruplet`, Eq. 8.
        rp: `pair_relation`, Eq. 11.

    Returns:
        Scalar.
    """
    fsc = cls_weight * (cls_sketch + cls_photo) + lambda1 * fs
    return fsc + lambda2 * dbq + lambda3 * rp
