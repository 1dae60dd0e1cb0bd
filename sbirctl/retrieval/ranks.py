"""Where queries find their relevant photos, and what a definition makes of it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sbirctl.retrieval.definitions import Definition


@dataclass(frozen=True)
class Ranks:
    """Where n queries of one class find their R relevant photos among N; R >= 1.

    Attributes:
        rank: (n, R) int32, ascending ranks from 1, equal scores in gallery order.
        upto: (n, R) int32, number of photos with a score at least as high as that of the i-th
            relevant photo; equal to `rank` where no score is tied.
        positive: (n,) int32, relevant photos with a score > 0.
        gallery: N.
        made: what definitions made of these ranks that others will ask for too.
    """

    rank: np.ndarray
    upto: np.ndarray
    positive: np.ndarray
    gallery: int
    made: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def relevant(self) -> int:
        """R."""
        return int(self.rank.shape[1])

    @property
    def tied(self) -> np.ndarray:
        """(n, R) int32: number of relevant photos with a score at least as high."""
        if "tied" not in self.made:
            n, R = self.upto.shape
            found = np.tile(np.arange(1, R + 1, dtype=np.int32), (n, 1))
            rows = self._rows_with_ties
            upto = self.upto[rows]
            own = np.where(upto[:, 1:] != upto[:, :-1], found[rows, :-1], np.int32(R))
            found[rows, :-1] = np.minimum.accumulate(own[:, ::-1], axis=1)[:, ::-1]
            self.made["tied"] = found
        tied: np.ndarray = self.made["tied"]
        return tied

    @property
    def _rows_with_ties(self) -> np.ndarray:
        return np.flatnonzero((self.rank != self.upto).any(axis=1))

    @property
    def tied_with_others(self) -> np.ndarray:
        """(n,) int64: relevant photos with the score of a photo behind them that is not relevant.

        Of the relevant photos that share a score with others about half: those whose place in the
        gallery helps them.
        """
        found = np.zeros(len(self.rank), dtype=np.int64)
        rows = self._rows_with_ties
        if len(rows):
            last = self.upto[rows] - self.tied[rows] + np.arange(1, self.relevant + 1)
            found[rows] = np.count_nonzero(self.rank[rows] < last, axis=1)
        return found


def placed(definition: Definition, ranks: Ranks) -> tuple[np.ndarray, np.ndarray | None]:
    """Ranks after the definition's rules for ties and for scores <= 0.

    Returns:
        (n, R) int32 ranks from 1, and (n, R) bool which relevant photos count (None: all).
    """
    rank = ranks.rank
    if definition.ties == "pessimistic":
        if "last" not in ranks.made:
            places = np.arange(1, ranks.relevant + 1, dtype=np.int32)
            ranks.made["last"] = ranks.upto - ranks.tied + places
        rank = ranks.made["last"]
    if definition.nonpositive == "count":
        return rank, None
    return rank, np.arange(ranks.relevant) < ranks.positive[:, None]


def hits(definition: Definition, ranks: Ranks, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether the i-th relevant photo is among the first k, (n, min(k, R)) bool; how many are."""
    key = ("hits", definition.ties, definition.nonpositive, k)
    if key not in ranks.made:
        rank, counted = placed(definition, ranks)
        width = min(k, ranks.relevant)
        hit = rank[:, :width] <= k
        if counted is not None:
            hit &= counted[:, :width]
        ranks.made[key] = hit, np.count_nonzero(hit, axis=1)
    made: tuple[np.ndarray, np.ndarray] = ranks.made[key]
    return made


def left_out(definition: Definition, value: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The values, NaN for queries without a hit where the definition leaves those out.

    Args:
        value: (n,) float64.
        found: (n,) hits in the list.
    """
    return np.where(found > 0, value, np.nan) if definition.no_hits == "drop" else value
