"""One query of several vectors: drawing, photos and words, each with its weight."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from sbirctl.core.errors import UsageError, nearest

KINDS = ("photo", "sketch", "text")


def parse_weights(texts: Iterable[str]) -> dict[str, float]:
    """`["sketch=2", "text=1"]` as numbers; what is not named weighs 1.

    Raises:
        UsageError: no such kind, no number, or a kind twice.
    """
    weights = dict.fromkeys(KINDS, 1.0)
    named: set[str] = set()
    for text in texts:
        kind, sign, value = text.partition("=")
        if kind not in KINDS:
            raise UsageError(f"Nothing of the kind {kind!r} can be weighed.", nearest(kind, KINDS))
        try:
            weights[kind] = float(value)
        except ValueError:
            weights[kind] = math.nan
        if kind in named:
            raise UsageError(f"{kind} is weighed twice.", "Give its --weight once.")
        named.add(kind)
        if not sign or not math.isfinite(weights[kind]):
            raise UsageError(f"{text!r} is no weight.", f"Write it like {kind}=2.")
    return weights


def combine(
    parts: Sequence[tuple[str, np.ndarray]], weights: Mapping[str, float] | None = None
) -> np.ndarray:
    """The weighted sum of unit vectors, made a unit vector: (dim,) float32.

    Args:
        parts: kind ("sketch", "photo" or "text") and (dim,) vector of each.
        weights: of the kinds, 1 where not named. Below zero is less of that.

    Raises:
        UsageError: nothing is left to search with.
    """
    own = weights or {}
    total = np.sum([own.get(kind, 1.0) * vector for kind, vector in parts], axis=0)
    length = float(np.linalg.norm(total)) if len(parts) else 0.0
    if length < 1e-6:
        raise UsageError(
            "The weights leave nothing to search with.", "Give a drawing, a photo or words weight."
        )
    combined: np.ndarray = (total / length).astype(np.float32)
    return combined
