"""Cosine similarities in single precision, whatever comes in."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def at_least_float32(x: Tensor) -> Tensor:
    """Half-precision tensors as float32, others unchanged: 1e-12 is 0 in half precision."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Row-wise cosine similarity: (n, dim), (n, dim) -> (n,) float32, 0 for a zero vector."""
    return F.cosine_similarity(at_least_float32(a), at_least_float32(b), dim=-1)


def pairwise_cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine similarity of every row of `a` to every row of `b`: (n, m) float32.

    Mixed precision is switched off inside: a product in bfloat16 has three digits, too few for
    a softmax at temperature 0.01.
    """
    with torch.autocast(a.device.type, enabled=False):
        left = F.normalize(at_least_float32(a), dim=-1)
        return left @ F.normalize(at_least_float32(b), dim=-1).T
