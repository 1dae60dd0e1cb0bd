"""Exported models with weights of eight bits, and what that costs."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np


def quantise(sides: Sequence[Path]) -> None:
    """Give ONNX files weights of eight bits, one scale a channel, by ONNX Runtime's dynamic way.

    Inputs of matrix products and convolutions are brought to eight bits too, each picture by its
    own range, so nothing has to be measured on photos.

    Args:
        sides: the files, changed in place.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    for path in sides:
        target = path.with_suffix(".int8")
        with _quiet():
            quantize_dynamic(path, target, per_channel=True, weight_type=QuantType.QInt8)
        target.replace(path)


def loss(own: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> dict[str, object]:
    """What other vectors than the model's own cost.

    Args:
        own: (n, dim) unit vectors of the same pictures, an array a side.
        found: the others, likewise.

    Returns:
        `worst_cosine` and `mean_cosine` between them, and `same_nearest`: the share of pictures
        whose nearest other picture of its side is the same by both.
    """
    cosines = np.concatenate([(a * b).sum(1) for a, b in zip(own, found, strict=True)])
    same = [_nearest(a) == _nearest(b) for a, b in zip(own, found, strict=True)]
    return {
        "worst_cosine": float(cosines.min()),
        "mean_cosine": float(cosines.mean()),
        "same_nearest": float(np.concatenate(same).mean()),
    }


def _nearest(vectors: np.ndarray) -> np.ndarray:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    nearest: np.ndarray = scores.argmax(1)
    return nearest


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """ONNX Runtime advises to optimise the graph first, which it does when it loads it."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
