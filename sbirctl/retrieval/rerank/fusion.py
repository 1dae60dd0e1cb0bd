"""Fusion of several rankings of the same queries and gallery.

Reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009. Sum of normalised scores
(CombSUM): Fox and Shaw, TREC-2 1994; normalisations: Lee, SIGIR 1997 (min-max), Montague and
Aslam, CIKM 2001 (z-score).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sbirctl.core.config import setting
from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.rerank.blocks import score_blocks


@dataclass(frozen=True)
class ReciprocalRank:
    """Settings of reciprocal rank fusion."""

    constant: float = setting(60.0, help="added to every rank")

    def __post_init__(self) -> None:
        if not 0 <= self.constant < np.inf:
            raise UsageError(f"constant={self.constant:g} cannot be.", "It is 0 or more.")

    def of(self, scores: np.ndarray) -> np.ndarray:
        """1 / (constant + rank), ranks from 1, equal scores in gallery order."""
        order = np.argsort(-scores, axis=1, kind="stable")
        value = 1 / (self.constant + np.arange(1, scores.shape[1] + 1))
        made = np.empty(scores.shape)
        np.put_along_axis(made, order, np.broadcast_to(value, scores.shape), axis=1)
        return made


@dataclass(frozen=True)
class ScoreSum:
    """Settings of the sum of scores."""

    normalise: Literal["min-max", "z-score"] = setting(
        "min-max", help="the scores of each query: to 0 … 1, or to mean 0 and deviation 1"
    )

    def of(self, scores: np.ndarray) -> np.ndarray:
        """Normalised scores; those of a query that are all equal become 0."""
        wide = scores.astype(np.float64)
        if self.normalise == "min-max":
            wide -= wide.min(axis=1, keepdims=True)
            spread = wide.max(axis=1, keepdims=True)
        else:
            flat = wide.max(axis=1) == wide.min(axis=1)
            wide -= wide.mean(axis=1, keepdims=True)
            wide[flat] = 0
            spread = wide.std(axis=1, keepdims=True)
        wide /= np.where(spread > 0, spread, 1)
        return wide


def fuse(
    rankings: Sequence[Embeddings],
    settings: ReciprocalRank | ScoreSum,
    report: Reporter = SILENT,
) -> Iterator[np.ndarray]:
    """The sum of what `settings` makes of each ranking's scores, a block of queries at a time.

    Gives:
        (at most 512, N) float64 rows in the order of the files.
    """
    made = [score_blocks(e, report if i == 0 else SILENT) for i, e in enumerate(rankings)]
    for blocks in zip(*made, strict=True):
        total = settings.of(blocks[0])
        for block in blocks[1:]:
            total += settings.of(block)
        yield total


def refuse_others(first: Embeddings, other: Embeddings, names: tuple[str, str]) -> bool:
    """Refuse a ranking of other queries or another gallery than the first one's, in this order.

    Args:
        names: of both, for people.

    Returns:
        Whether the files say which pictures they rank; False where only classes were compared.

    Raises:
        MismatchError: they differ.
    """
    told = True
    for side, what in (("query", "queries"), ("gallery", "photos")):
        sizes = [len(getattr(e, f"{side}_label")) for e in (first, other)]
        if sizes[0] != sizes[1]:
            raise MismatchError(
                f"{names[0]} has {sizes[0]:,} {what}, {names[1]} {sizes[1]:,}.", _HINT
            )
        columns = [_identities(e, side) for e in (first, other)]
        for key in columns[0]:
            ours, theirs = columns[0][key], columns[1].get(key)
            if theirs is not None and (ours != theirs).any():
                row = int((ours != theirs).argmax())
                raise MismatchError(
                    f"The {what} differ: {side}_{key} of row {row} is {_shown(ours[row])} in "
                    f"{names[0]} and {_shown(theirs[row])} in {names[1]}.",
                    _HINT,
                )
        told = told and bool({"digest", "path"} & columns[0].keys() & columns[1].keys())
    if first.scope != other.scope:
        raise MismatchError(
            f"The scope is {first.scope!r} in {names[0]} and {other.scope!r} in {names[1]}.", _HINT
        )
    return told


_HINT = "Fuse files of the same test side: queries and gallery in the same order."


def _identities(e: Embeddings, side: str) -> dict[str, np.ndarray]:
    """What tells the pictures of a side apart; paths only where there are no digests."""
    found = {"label": np.array(e.classes)[getattr(e, f"{side}_label")]}
    for key in ("digest", "path"):
        column = getattr(e, f"{side}_{key}")
        if column is not None:
            found[key] = column
            break
    return found


def _shown(value: object) -> str:
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return repr(text if len(text) <= 40 else f"{text[:12]}…")
