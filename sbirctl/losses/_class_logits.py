"""Similarities of images to class texts, the logits of Dr. CLIP Eq. 1.

P(y_i | x_i) = softmax_j( sim(f_i, t_j) / t )[y_i],    sim = cosine similarity
"""

from __future__ import annotations

from torch import Tensor

from sbirctl.losses._cosine import pairwise_cosine


def class_logits(features: Tensor, texts: Tensor, temperature: float = 0.01) -> Tensor:
    """Cosine similarity to every class text over the temperature.

    Args:
        features: (n, dim) image features, any norm.
        texts: (classes, dim) text features, any norm.
        temperature: t of Eq. 1. The paper gives no value; 0.01 is one over CLIP's own logit
            scale of 100. The released code multiplies by its logarithm, 4.6.

    Returns:
        (n, classes) float32.
    """
    return pairwise_cosine(features, texts) / temperature
