"""Soft segmentation: eight layers that tell apart regions by the colours they are made of.

Leordeanu et al., TPAMI 36(7), 2014, section on soft segmentation. Patches of the image are
described by the set of colour words in them; a few principal components of these sets say which
words go together. Every patch of a coarse grid is a hypothesis of what is foreground: it gives
each word, and so each pixel, a probability. The hypotheses' own principal components are the
layers.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sbirctl.edges.color import WORDS, color_words
from sbirctl.edges.median import median_filter

LONGER_SIDE = 300
PATCH = 17
TRAINING_STEP = 8
HYPOTHESIS_STEP = 30
VARIANCE_KEPT = 0.5
LAYERS = 8
MEDIAN = 9


def soft_layers(rgb: Tensor) -> Tensor:
    """Soft segmentation of photos.

    Args:
        rgb: (n, 3, H, W) float32 in 0..1 (stretched channels).

    Returns:
        (n, 8, H, W) float32, 0..1 over each photo's stack; the layers keep their relative scale
        and come by falling variance. A photo of one colour gives zeros.
    """
    height, width = rgb.shape[-2:]
    words = color_words(_resized(rgb, _working_size(height, width)))
    scores = torch.stack([_scores(one) for one in words])
    layers = F.interpolate(
        scores, (height, width), mode="bicubic", antialias=True, align_corners=False
    )
    layers = median_filter(layers, MEDIAN)
    low = layers.amin((1, 2, 3), keepdim=True)
    span = layers.amax((1, 2, 3), keepdim=True) - low
    return (layers - low) / torch.where(span > 0, span, 1)


def _working_size(height: int, width: int) -> tuple[int, int]:
    """The longer side becomes 300 pixels; the shorter holds a patch at least."""
    scale = LONGER_SIDE / max(height, width)
    return max(PATCH, round(height * scale)), max(PATCH, round(width * scale))


def _resized(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """Antialiased bicubic on 8-bit values, as an image library would do it."""
    levels = (rgb * 255).round()
    small = F.interpolate(levels, size, mode="bicubic", antialias=True, align_corners=False)
    return small.round().clamp(0, 255) / 255


def _scores(words: Tensor) -> Tensor:
    """(h, w) int64 colour words to (8, h, w) float32 scores of the pixels, mean 0 per layer."""
    counts = torch.bincount(words.flatten(), minlength=WORDS)
    seen = counts.nonzero().squeeze(1)
    # Words that do not occur add nothing to any product below: renumber the others.
    words = (counts > 0).cumsum(0)[words] - 1
    table = _hypotheses(words, len(seen))
    # A pixel's row depends on its word alone, so the PCA over all pixels is one over the words,
    # each counted as often as it occurs.
    share = counts[seen].double() / words.numel()
    table = table - share @ table
    _, vectors = torch.linalg.eigh(table.T @ (share[:, None] * table))
    layers = table @ vectors.flip(1)[:, :LAYERS]
    layers = F.pad(layers, (0, LAYERS - layers.shape[1]))
    return layers.float().T[:, words]


def _hypotheses(words: Tensor, known: int) -> Tensor:
    """(known, hypotheses) float64: probability of each word under each foreground hypothesis."""
    train = _presence(words, TRAINING_STEP, known)
    mean = train.mean(0)
    centred = train - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(train))
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    kept = int((values.cumsum(0) < VARIANCE_KEPT * values.sum()).sum()) + 1
    basis = vectors[:, :kept]
    projected = (_presence(words, HYPOTHESIS_STEP, known) - mean) @ basis @ basis.T
    foreground = (mean + projected).clamp(min=0)
    background = (mean - projected).clamp(min=0)
    total = foreground + background
    shares: Tensor = (foreground / torch.where(total > 0, total, 1)).T
    return shares


def _presence(words: Tensor, step: int, known: int) -> Tensor:
    """(patches, known) float64: 1 where a word occurs in a 17x17 patch of a grid."""
    patches = words.unfold(0, PATCH, step).unfold(1, PATCH, step).reshape(-1, PATCH * PATCH)
    presence = torch.zeros(len(patches), known, dtype=torch.float64, device=words.device)
    return presence.scatter_(1, patches, 1.0)
