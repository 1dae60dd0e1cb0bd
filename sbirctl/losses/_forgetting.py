"""Forgetting suppression L_FS, Dr. CLIP Eq. 4: stay near what the frozen encoder says.

    L_FS = KL(d'_s || d_s) + KL(d'_p || d_p),    d = log softmax(sim(f, texts) / t)

with d' of the frozen encoder. The paper prints KL(d, d'), a mean over images and no temperature;
the authors' code has the direction above, the logits of Eq. 1 and a mean over images and classes,
the size for which lambda_1 = 15 is meant. Direction and mean are arguments, the temperature is
that of the logits. Both functions take the images of one modality; a model adds sketches' and
photos' values.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from sbirctl.losses._cosine import at_least_float32
from sbirctl.losses._distance import mean_or_zero

Direction = Literal["frozen-trained", "trained-frozen"]
ShiftMean = Literal["classes", "images"]


def distribution_shift(
    trained: Tensor,
    frozen: Tensor,
    direction: Direction = "frozen-trained",
    mean: ShiftMean = "classes",
) -> Tensor:
    """Kullback-Leibler divergence of the class distributions.

    Args:
        trained: (n, classes) logits of the trained encoder (`class_logits`).
        frozen: (n, classes) logits of the frozen encoder for the same images.
        direction: "frozen-trained" is KL(frozen || trained); "trained-frozen" is
            KL(trained || frozen), Eq. 4 as printed.
        mean: "classes": over images and classes; "images": over images, as printed.

    Returns:
        Scalar float32, 0 where both agree and for n = 0.
    """
    first = at_least_float32(frozen).log_softmax(-1)
    second = at_least_float32(trained).log_softmax(-1)
    if direction == "trained-frozen":
        first, second = second, first
    shift = F.kl_div(second, first, reduction="none", log_target=True)
    return mean_or_zero(shift if mean == "classes" else shift.sum(-1))


def embedding_shift(trained: Tensor, frozen: Tensor) -> Tensor:
    """Mean absolute difference of the L2-normalised embeddings, mean over images and dimensions.

    Not in the paper; the authors' code adds it to L_FS with weight 1 (setting `fs_l1`).

    Args:
        trained, frozen: (n, dim), any norm.
    """
    moved = F.normalize(at_least_float32(trained), dim=-1)
    return mean_or_zero((moved - F.normalize(at_least_float32(frozen), dim=-1)).abs())
