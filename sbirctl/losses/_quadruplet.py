"""Domain balanced quadruplet loss L_DBQ, Dr. CLIP Eq. 8.

    L_DBQ = L_Tri^P + L_Tri^S

L_Tri^P (Eq. 6) has a photo as the negative, L_Tri^S (Eq. 7) a sketch.
"""

from __future__ import annotations

from torch import Tensor

from sbirctl.losses._cosine_triplet import cosine_triplet


def domain_balanced_quadruplet(
    anchor: Tensor,
    positive: Tensor,
    negative_photo: Tensor,
    negative_sketch: Tensor,
    margin: float = 0.3,
) -> Tensor:
    """Sum of the two triplet losses of a batch of quadruplets.

    Args:
        anchor: (n, dim) sketches. positive: (n, dim) photos of their classes.
        negative_photo, negative_sketch: (n, dim), of another class.
        margin: m of Eqs. 6 and 7, in units of cosine similarity.

    Returns:
        Scalar float32; exactly 0 for n = 0.
    """
    against_photo = cosine_triplet(anchor, positive, negative_photo, margin)
    return against_photo + cosine_triplet(anchor, positive, negative_sketch, margin)
