"""Whether anything like a drawing is among the photos at all, by the scores of the nearest.

evidence = log(sum of exp(sharpness * score) over the nearest photos) - per_log * log(photos). The
constants lie in a model's card (`[presence]`): fitted to drawings with and without their thing
among the photos, so that one bound holds for galleries of any size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

FORM = {"nearest": range(1, 10_001), "sharpness": float, "per_log": float, "least": float}


@dataclass(frozen=True)
class Presence:
    """The constants of a model.

    Attributes:
        nearest: photos that are looked at.
        sharpness: of the scores; higher lets the first photos count for more.
        per_log: what is taken off for the number of photos, times its logarithm.
        least: evidence from which on something like the drawing is there.
    """

    nearest: int
    sharpness: float
    per_log: float
    least: float

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> Presence | None:
        """The constants of a card that was checked; None where it has none."""
        given = card.get("presence")
        return None if given is None else cls(**{name: given[name] for name in FORM})

    def evidence(self, scores: np.ndarray, photos: int) -> float:
        """How much speaks for it.

        Args:
            scores: (k,) cosines of the nearest photos, the best first; no more than `nearest` are
                looked at.
            photos: how many were searched.
        """
        first = self.sharpness * np.asarray(scores[: self.nearest], dtype=np.float64)
        if not len(first):
            return -math.inf
        top = float(first.max())
        total = math.log(float(np.exp(first - top).sum())) + top
        return total - self.per_log * math.log(max(photos, 1))

    def likely(self, scores: np.ndarray, photos: int) -> bool:
        """Whether something like the drawing is there; arguments as `evidence`."""
        return self.evidence(scores, photos) >= self.least
