"""Forgetting suppression L_FS, Dr. CLIP Eq. 4: stay near what the frozen encoder says.

    L_FS = KL(d'_s || d_s) + KL(d'_p || d_p),    d = log softmax(sim(f, texts) / t)

with d' of the frozen encoder. The paper writes KL(d, d') averaged over images; here, as in the
authors' code, it is also averaged over classes, the size for which lambda_1 = 15 is meant. Both
functions take the images of one modality; a model adds sketches' and photos' values.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from sbirctl.losses.distance import at_least_float32, mean_or_zero


def distribution_shift(trained: Tensor, frozen: Tensor) -> Tensor:
    """KL(frozen || trained) of the class distributions, mean over images and classes.

    Args:
        trained: (n, classes) logits of the trained encoder (`class_logits`).
        frozen: (n, classes) logits of the frozen encoder for the same images.

    Returns:
        Scalar float32, 0 where both agree and for n = 0.
    """
    log_trained = at_least_float32(trained).log_softmax(-1)
    log_frozen = at_least_float32(frozen).log_softmax(-1)
    return mean_or_zero(F.kl_div(log_trained, log_frozen, reduction="none", log_target=True))


def embedding_shift(trained: Tensor, frozen: Tensor) -> Tensor:
    """Mean absolute difference of the L2-normalised embeddings, mean over images and dimensions.

    Not in the paper; the authors' code adds it to L_FS with weight 1 (setting `fs_l1`).

    Args:
        trained, frozen: (n, dim), any norm.
    """
    moved = F.normalize(at_least_float32(trained), dim=-1)
    return mean_or_zero((moved - F.normalize(at_least_float32(frozen), dim=-1)).abs())
